package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
)

// What the replica is told by its environment.
type settings struct {
	environment, replica                 string
	bind, advertised                     string
	httpPort, grpcPort                   uint64
	nacosHost                            string
	nacosPort                            uint64
	namespace, group, username, password string
}

func fromEnvironment() (settings, error) {
	var wrong []error
	number := func(name string) uint64 {
		value, err := strconv.ParseUint(os.Getenv(name), 10, 16)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s=%q is no port", name, os.Getenv(name)))
		}
		return value
	}
	host, port, err := net.SplitHostPort(os.Getenv("NACOS_ADDR"))
	if err != nil {
		wrong = append(wrong, fmt.Errorf("NACOS_ADDR: %w", err))
	}
	nacosPort, _ := strconv.ParseUint(port, 10, 16)
	return settings{
		environment: os.Getenv("DEPLOY_ENV"), replica: os.Getenv("REPLICA_ID"),
		bind: os.Getenv("BIND_HOST"), advertised: os.Getenv("ADVERTISE_IP"),
		httpPort: number("HTTP_PORT"), grpcPort: number("GRPC_PORT"),
		nacosHost: host, nacosPort: nacosPort,
		namespace: os.Getenv("NACOS_NAMESPACE"), group: os.Getenv("NACOS_GROUP"),
		username: os.Getenv("NACOS_USERNAME"), password: os.Getenv("NACOS_PASSWORD"),
	}, errors.Join(wrong...)
}

func (s settings) address(port uint64) string {
	return net.JoinHostPort(s.bind, strconv.FormatUint(port, 10))
}

func sdkVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/nacos-group/nacos-sdk-go/v2" {
			return module.Version
		}
	}
	return ""
}
