"""Clients of what a stack runs, written against the real servers' protocols; they never import the emulators."""

from harness.clients.apisix import ApisixClient
from harness.clients.etcd import EtcdClient
from harness.clients.nacos import NacosClient

__all__ = ["ApisixClient", "EtcdClient", "NacosClient"]
