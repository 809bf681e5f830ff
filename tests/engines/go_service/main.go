// orders, a sample of a team's own service: HTTP and gRPC, registered with Nacos and configured by it through the
// official Go SDK, gone from Nacos before its ports close.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// How long requests in flight get to finish after SIGTERM.
const grace = 3 * time.Second

func main() {
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		os.Exit(healthcheck())
	}
	log.SetFlags(log.LstdFlags | log.LUTC)
	settings, err := fromEnvironment()
	if err != nil {
		log.Fatalf("settings: %v", err)
	}
	if err := run(settings); err != nil {
		log.Fatalf("%v", err)
	}
}

func run(s settings) error {
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	service := &service{settings: s}
	failed := make(chan error, 2)
	web := service.serveHTTP(failed)
	rpc, err := serveGRPC(s.address(s.grpcPort), failed)
	if err != nil {
		return err
	}
	tie, err := join(s, service.configured)
	if err != nil {
		return err
	}
	service.ready.Store(true)
	log.Printf("ready: %s registered at %s:%d", s.replica, s.advertised, s.httpPort)
	select {
	case err = <-failed:
	case <-stop.Done():
		log.Printf("SIGTERM: leaving Nacos, then draining")
	}
	service.ready.Store(false)
	tie.leave()
	drain, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	rpc.GracefulStop()
	return errors.Join(err, web.Shutdown(drain))
}

type service struct {
	settings settings
	ready    atomic.Bool
	greeting atomic.Value
}

func (s *service) configured(content string) {
	s.greeting.Store(content)
	log.Printf("configuration taken, %d bytes", len(content))
}

func (s *service) serveHTTP(failed chan<- error) *http.Server {
	routes := http.NewServeMux()
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, map[string]any{"status": "ok"}) })
	routes.HandleFunc("/readyz", s.readyz)
	routes.HandleFunc("/v1/orders", s.orders)
	server := &http.Server{Addr: s.settings.address(s.settings.httpPort), Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return server
}

func (s *service) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.ready.Load() {
		answer(w, http.StatusOK, map[string]any{"status": "ready"})
		return
	}
	answer(w, http.StatusServiceUnavailable, map[string]any{"status": "starting"})
}

func (s *service) orders(w http.ResponseWriter, _ *http.Request) {
	content, _ := s.greeting.Load().(string)
	zone, _ := time.Now().Zone()
	answer(w, http.StatusOK, map[string]any{
		"replica": s.settings.replica, "environment": s.settings.environment, "configuration": content,
		"zone": zone, "uid": os.Getuid(), "sdk": sdkVersion(),
	})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func serveGRPC(address string, failed chan<- error) (*grpc.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go func() {
		if err := server.Serve(listener); err != nil {
			failed <- err
		}
	}()
	return server, nil
}

func healthcheck() int {
	client := http.Client{Timeout: 2 * time.Second}
	reply, err := client.Get("http://127.0.0.1:" + os.Getenv("HTTP_PORT") + "/readyz")
	if err != nil || reply.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
