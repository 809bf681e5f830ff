"""Every plugin the gateway knows: one line each, in the order of their names."""

from __future__ import annotations

from harness.emulators.apisix.plugins.acl import Acl
from harness.emulators.apisix.plugins.ai_prompt_decorator import AiPromptDecorator
from harness.emulators.apisix.plugins.ai_prompt_guard import AiPromptGuard
from harness.emulators.apisix.plugins.ai_prompt_template import AiPromptTemplate
from harness.emulators.apisix.plugins.api_breaker import ApiBreaker
from harness.emulators.apisix.plugins.attach_consumer_label import AttachConsumerLabel
from harness.emulators.apisix.plugins.authz_casdoor import AuthzCasdoor
from harness.emulators.apisix.plugins.authz_keycloak import AuthzKeycloak
from harness.emulators.apisix.plugins.aws_lambda import AwsLambda
from harness.emulators.apisix.plugins.azure_functions import AzureFunctions
from harness.emulators.apisix.plugins.base import Plugin
from harness.emulators.apisix.plugins.basic_auth import BasicAuth
from harness.emulators.apisix.plugins.batch_requests import BatchRequests
from harness.emulators.apisix.plugins.body_transformer import BodyTransformer
from harness.emulators.apisix.plugins.brotli import Brotli
from harness.emulators.apisix.plugins.cas_auth import CasAuth
from harness.emulators.apisix.plugins.chaitin_waf import ChaitinWaf
from harness.emulators.apisix.plugins.clickhouse_logger import ClickhouseLogger
from harness.emulators.apisix.plugins.client_control import ClientControl
from harness.emulators.apisix.plugins.consumer_restriction import ConsumerRestriction
from harness.emulators.apisix.plugins.cors import Cors
from harness.emulators.apisix.plugins.csrf import Csrf
from harness.emulators.apisix.plugins.data_mask import DataMask
from harness.emulators.apisix.plugins.datadog import Datadog
from harness.emulators.apisix.plugins.degraphql import Degraphql
from harness.emulators.apisix.plugins.dingtalk_auth import DingtalkAuth
from harness.emulators.apisix.plugins.echo import Echo
from harness.emulators.apisix.plugins.elasticsearch_logger import ElasticsearchLogger
from harness.emulators.apisix.plugins.error_page import ErrorPage
from harness.emulators.apisix.plugins.example_plugin import ExamplePlugin
from harness.emulators.apisix.plugins.exit_transformer import ExitTransformer
from harness.emulators.apisix.plugins.fault_injection import FaultInjection
from harness.emulators.apisix.plugins.feishu_auth import FeishuAuth
from harness.emulators.apisix.plugins.file_logger import FileLogger
from harness.emulators.apisix.plugins.forward_auth import ForwardAuth
from harness.emulators.apisix.plugins.google_cloud_logging import GoogleCloudLogging
from harness.emulators.apisix.plugins.graphql_limit_count import GraphqlLimitCount
from harness.emulators.apisix.plugins.graphql_proxy_cache import GraphqlProxyCache
from harness.emulators.apisix.plugins.grpc_transcode import GrpcTranscode
from harness.emulators.apisix.plugins.grpc_web import GrpcWeb
from harness.emulators.apisix.plugins.gzip import Gzip
from harness.emulators.apisix.plugins.hmac_auth import HmacAuth
from harness.emulators.apisix.plugins.http_logger import HttpLogger
from harness.emulators.apisix.plugins.ip_restriction import IpRestriction
from harness.emulators.apisix.plugins.jwe_decrypt import JweDecrypt
from harness.emulators.apisix.plugins.jwt_auth import JwtAuth
from harness.emulators.apisix.plugins.kafka_logger import KafkaLogger
from harness.emulators.apisix.plugins.key_auth import KeyAuth
from harness.emulators.apisix.plugins.ldap_auth import LdapAuth
from harness.emulators.apisix.plugins.limit_conn import LimitConn
from harness.emulators.apisix.plugins.limit_count import LimitCount
from harness.emulators.apisix.plugins.limit_req import LimitReq
from harness.emulators.apisix.plugins.loggly import Loggly
from harness.emulators.apisix.plugins.loki_logger import LokiLogger
from harness.emulators.apisix.plugins.mocking import Mocking
from harness.emulators.apisix.plugins.multi_auth import MultiAuth
from harness.emulators.apisix.plugins.node_status import NodeStatus
from harness.emulators.apisix.plugins.oas_validator import OasValidator
from harness.emulators.apisix.plugins.opa import Opa
from harness.emulators.apisix.plugins.openfunction import Openfunction
from harness.emulators.apisix.plugins.openid_connect import OpenidConnect
from harness.emulators.apisix.plugins.opentelemetry import Opentelemetry
from harness.emulators.apisix.plugins.openwhisk import Openwhisk
from harness.emulators.apisix.plugins.prometheus import Prometheus
from harness.emulators.apisix.plugins.proxy_buffering import ProxyBuffering
from harness.emulators.apisix.plugins.proxy_cache import ProxyCache
from harness.emulators.apisix.plugins.proxy_control import ProxyControl
from harness.emulators.apisix.plugins.proxy_mirror import ProxyMirror
from harness.emulators.apisix.plugins.proxy_rewrite import ProxyRewrite
from harness.emulators.apisix.plugins.public_api import PublicApi
from harness.emulators.apisix.plugins.real_ip import RealIp
from harness.emulators.apisix.plugins.redirect import Redirect
from harness.emulators.apisix.plugins.referer_restriction import RefererRestriction
from harness.emulators.apisix.plugins.request_id import RequestId
from harness.emulators.apisix.plugins.request_validation import RequestValidation
from harness.emulators.apisix.plugins.response_rewrite import ResponseRewrite
from harness.emulators.apisix.plugins.server_info import ServerInfo
from harness.emulators.apisix.plugins.serverless_post_function import ServerlessPostFunction
from harness.emulators.apisix.plugins.serverless_pre_function import ServerlessPreFunction
from harness.emulators.apisix.plugins.skywalking_logger import SkywalkingLogger
from harness.emulators.apisix.plugins.sls_logger import SlsLogger
from harness.emulators.apisix.plugins.splunk_hec_logging import SplunkHecLogging
from harness.emulators.apisix.plugins.syslog import Syslog
from harness.emulators.apisix.plugins.tcp_logger import TcpLogger
from harness.emulators.apisix.plugins.traffic_label import TrafficLabel
from harness.emulators.apisix.plugins.traffic_split import TrafficSplit
from harness.emulators.apisix.plugins.ua_restriction import UaRestriction
from harness.emulators.apisix.plugins.udp_logger import UdpLogger
from harness.emulators.apisix.plugins.uri_blocker import UriBlocker
from harness.emulators.apisix.plugins.wolf_rbac import WolfRbac
from harness.emulators.apisix.plugins.workflow import Workflow
from harness.emulators.apisix.plugins.zipkin import Zipkin

#: one file, one line here, one test file a plugin
PLUGINS: tuple[type[Plugin], ...] = (
    Acl,
    AiPromptDecorator,
    AiPromptGuard,
    AiPromptTemplate,
    ApiBreaker,
    AttachConsumerLabel,
    AuthzCasdoor,
    AuthzKeycloak,
    AwsLambda,
    AzureFunctions,
    BasicAuth,
    BatchRequests,
    BodyTransformer,
    Brotli,
    CasAuth,
    ChaitinWaf,
    ClickhouseLogger,
    ClientControl,
    ConsumerRestriction,
    Cors,
    Csrf,
    DataMask,
    Datadog,
    Degraphql,
    DingtalkAuth,
    Echo,
    ElasticsearchLogger,
    ErrorPage,
    ExamplePlugin,
    ExitTransformer,
    FaultInjection,
    FeishuAuth,
    FileLogger,
    ForwardAuth,
    GoogleCloudLogging,
    GraphqlLimitCount,
    GraphqlProxyCache,
    GrpcTranscode,
    GrpcWeb,
    Gzip,
    HmacAuth,
    HttpLogger,
    IpRestriction,
    JweDecrypt,
    JwtAuth,
    KafkaLogger,
    KeyAuth,
    LdapAuth,
    LimitConn,
    LimitCount,
    LimitReq,
    Loggly,
    LokiLogger,
    Mocking,
    MultiAuth,
    NodeStatus,
    OasValidator,
    Opa,
    Openfunction,
    OpenidConnect,
    Opentelemetry,
    Openwhisk,
    Prometheus,
    ProxyBuffering,
    ProxyCache,
    ProxyControl,
    ProxyMirror,
    ProxyRewrite,
    PublicApi,
    RealIp,
    Redirect,
    RefererRestriction,
    RequestId,
    RequestValidation,
    ResponseRewrite,
    ServerInfo,
    ServerlessPostFunction,
    ServerlessPreFunction,
    SkywalkingLogger,
    SlsLogger,
    SplunkHecLogging,
    Syslog,
    TcpLogger,
    TrafficLabel,
    TrafficSplit,
    UaRestriction,
    UdpLogger,
    UriBlocker,
    WolfRbac,
    Workflow,
    Zipkin,
)

BY_NAME: dict[str, type[Plugin]] = {plugin.name: plugin for plugin in PLUGINS}
