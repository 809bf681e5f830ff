// The official nacos-sdk-go/v2 (gRPC), driven by JSON lines.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

type command struct {
	Id        int               `json:"id"`
	Op        string            `json:"op"`
	Server    string            `json:"server"`
	Namespace string            `json:"namespace"`
	Username  string            `json:"username"`
	Password  string            `json:"password"`
	Folder    string            `json:"folder"`
	DataId    string            `json:"data_id"`
	Group     string            `json:"group"`
	Content   string            `json:"content"`
	Type      string            `json:"type"`
	Md5       string            `json:"md5"`
	Service   string            `json:"service"`
	Ip        string            `json:"ip"`
	Port      uint64            `json:"port"`
	Ports     []uint64          `json:"ports"`
	Weight    float64           `json:"weight"`
	Metadata  map[string]string `json:"metadata"`
	Ephemeral bool              `json:"ephemeral"`
}

type object = map[string]any

type application struct {
	config config_client.IConfigClient
	naming naming_client.INamingClient
}

var (
	answers = os.Stdout
	saying  sync.Mutex
)

func say(message object) {
	saying.Lock()
	defer saying.Unlock()
	_ = json.NewEncoder(answers).Encode(message)
}

func (a *application) open(c command) (err error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 64)
	if err != nil {
		return err
	}
	// nacos-sdk-go spells the namespace "public" as ""
	namespace := c.Namespace
	if namespace == "public" {
		namespace = ""
	}
	param := vo.NacosClientParam{
		ClientConfig: constant.NewClientConfig(
			constant.WithNamespaceId(namespace),
			constant.WithUsername(c.Username),
			constant.WithPassword(c.Password),
			constant.WithTimeoutMs(5000),
			constant.WithNotLoadCacheAtStart(true),
			constant.WithCacheDir(c.Folder+"/cache"),
			constant.WithLogDir(c.Folder+"/log"),
			constant.WithLogLevel("info"),
		),
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig(host, number)},
	}
	if a.naming, err = clients.NewNamingClient(param); err != nil {
		return err
	}
	a.config, err = clients.NewConfigClient(param)
	return err
}

func (a *application) get(c command) (any, error) {
	content, err := a.config.GetConfig(vo.ConfigParam{DataId: c.DataId, Group: c.Group})
	if err != nil {
		return nil, err
	}
	if content == "" {
		return nil, nil
	}
	return content, nil
}

func (a *application) listen(c command) error {
	return a.config.ListenConfig(vo.ConfigParam{DataId: c.DataId, Group: c.Group,
		OnChange: func(namespace, group, dataId, data string) {
			say(object{"event": "config", "data_id": dataId, "group": group, "content": data})
		}})
}

func (a *application) register(c command) (bool, error) {
	return a.naming.RegisterInstance(vo.RegisterInstanceParam{ServiceName: c.Service, GroupName: c.Group, Ip: c.Ip,
		Port: c.Port, Weight: c.Weight, Metadata: c.Metadata, Ephemeral: c.Ephemeral, Enable: true, Healthy: true})
}

func (a *application) batch(c command) (bool, error) {
	var members []vo.RegisterInstanceParam
	for _, port := range c.Ports {
		members = append(members, vo.RegisterInstanceParam{Ip: c.Ip, Port: port, Weight: 1, Enable: true, Healthy: true,
			Ephemeral: true})
	}
	return a.naming.BatchRegisterInstance(vo.BatchRegisterInstanceParam{ServiceName: c.Service, GroupName: c.Group,
		Instances: members})
}

func (a *application) instances(c command) (any, error) {
	found, err := a.naming.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: c.Service, GroupName: c.Group})
	if err != nil {
		return nil, err
	}
	shown := []object{}
	for _, i := range found {
		shown = append(shown, object{"ip": i.Ip, "port": i.Port, "weight": i.Weight, "healthy": i.Healthy,
			"metadata": i.Metadata})
	}
	return shown, nil
}

func (a *application) services(c command) (any, error) {
	found, err := a.naming.GetAllServicesInfo(vo.GetAllServiceInfoParam{NameSpace: c.Namespace, GroupName: c.Group,
		PageNo: 1, PageSize: 100})
	return found.Doms, err
}

func (a *application) subscribe(c command) error {
	return a.naming.Subscribe(&vo.SubscribeParam{ServiceName: c.Service, GroupName: c.Group,
		SubscribeCallback: func(instances []model.Instance, err error) {
			ports := []uint64{}
			for _, i := range instances {
				ports = append(ports, i.Port)
			}
			say(object{"event": "hosts", "service": c.Service, "group": c.Group, "ports": ports})
		}})
}

func (a *application) act(c command) (any, error) {
	switch c.Op {
	case "open":
		return nil, a.open(c)
	case "publish", "publish_cas":
		return a.config.PublishConfig(vo.ConfigParam{DataId: c.DataId, Group: c.Group, Content: c.Content, Type: c.Type,
			CasMd5: c.Md5})
	case "get":
		return a.get(c)
	case "remove":
		return a.config.DeleteConfig(vo.ConfigParam{DataId: c.DataId, Group: c.Group})
	case "listen":
		return nil, a.listen(c)
	case "register":
		return a.register(c)
	case "deregister":
		return a.naming.DeregisterInstance(vo.DeregisterInstanceParam{ServiceName: c.Service, GroupName: c.Group, Ip: c.Ip,
			Port: c.Port, Ephemeral: c.Ephemeral})
	case "batch":
		return a.batch(c)
	case "instances":
		return a.instances(c)
	case "services":
		return a.services(c)
	case "subscribe":
		return nil, a.subscribe(c)
	}
	return nil, fmt.Errorf("unknown op %q", c.Op)
}

func main() {
	os.Stdout = os.Stderr // what the SDK prints must not mix with the answers
	var a application
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		value, err := a.act(c)
		if err != nil {
			say(object{"id": c.Id, "error": err.Error()})
			continue
		}
		say(object{"id": c.Id, "value": value})
	}
}
