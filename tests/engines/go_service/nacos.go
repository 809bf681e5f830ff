package main

import (
	"log"
	"os"
	"strconv"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

const name = "orders"

// The replica's tie to Nacos: its registration, and the configuration that it listens to.
type tie struct {
	settings settings
	naming   naming_client.INamingClient
	config   config_client.IConfigClient
}

func join(s settings, configured func(string)) (*tie, error) {
	folder, err := os.MkdirTemp("", "nacos-")
	if err != nil {
		return nil, err
	}
	param := vo.NacosClientParam{
		ClientConfig: constant.NewClientConfig(
			constant.WithNamespaceId(s.namespace), constant.WithUsername(s.username), constant.WithPassword(s.password),
			constant.WithNotLoadCacheAtStart(true), constant.WithLogDir(folder+"/log"), constant.WithCacheDir(folder+"/cache"),
			constant.WithLogLevel("warn"),
		),
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig(s.nacosHost, s.nacosPort)},
	}
	t := &tie{settings: s}
	if t.config, err = clients.NewConfigClient(param); err != nil {
		return nil, err
	}
	if t.naming, err = clients.NewNamingClient(param); err != nil {
		return nil, err
	}
	if err = t.listen(configured); err != nil {
		return nil, err
	}
	_, err = t.naming.RegisterInstance(vo.RegisterInstanceParam{
		Ip: s.advertised, Port: s.httpPort, ServiceName: name, GroupName: s.group,
		Weight: 1, Enable: true, Healthy: true, Ephemeral: true,
		// exactly this key: APISIX's discovery reads it for gRPC upstreams
		Metadata: map[string]string{"gRPC_port": strconv.FormatUint(s.grpcPort, 10), "replica": s.replica},
	})
	return t, err
}

func (t *tie) listen(configured func(string)) error {
	where := vo.ConfigParam{DataId: name + ".yaml", Group: t.settings.group}
	if content, err := t.config.GetConfig(where); err == nil {
		configured(content)
	} else {
		log.Printf("no configuration yet: %v", err)
	}
	where.OnChange = func(_, _, _, content string) { configured(content) }
	return t.config.ListenConfig(where)
}

func (t *tie) leave() {
	left, err := t.naming.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: t.settings.advertised, Port: t.settings.httpPort, ServiceName: name, GroupName: t.settings.group, Ephemeral: true,
	})
	if !left || err != nil {
		log.Printf("could not leave Nacos: %v", err)
	}
	t.naming.CloseClient()
	t.config.CloseClient()
}
