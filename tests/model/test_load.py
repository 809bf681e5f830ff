"""What a platform file says, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.model import DeclarationError, load_platform

SMALL = Path(__file__).with_name("small.yaml").read_text()


def test_small_platform(load):
    platform = load(SMALL)
    service = platform.services["orders"]
    assert (platform.name, platform.environment) == ("shop", "dev")
    assert (service.command, service.replicas, service.http_port, service.grpc_port) == (("run", "orders"), 1, 8080, 0)
    assert (service.nacos_namespace, service.nacos_group) == ("public", "DEFAULT_GROUP")
    assert service.gateway is not None
    assert service.gateway.nacos_group == "DEFAULT_GROUP"
    assert service.gateway.auth.methods == ()


def test_frozen(load):
    with pytest.raises(AttributeError):
        load(SMALL).services["orders"].replicas = 3


def test_one_mistake_names_file_line_key_and_mend(load, tmp_path):
    with pytest.raises(SpecError) as caught:
        load(SMALL.replace("command:", "comand:"))
    text = str(caught.value)
    assert f"{tmp_path}/platform.yaml:4" in text
    assert "services.orders.comand: unknown key" in text
    assert "did you mean 'command'?" in text


def test_all_mistakes_in_one_go_in_the_order_of_the_file(mistakes):
    found = mistakes("nmae: shop\nservices:\n  orders:\n    replicas: two\n    gateway: {route_prefix: orders}\n")
    assert [line.split()[0] for line in found] == sorted(line.split()[0] for line in found)
    text = "\n".join(found)
    for expected in ("nmae: unknown key", "name: missing", "a whole number is expected", "route_prefix", "no upstream"):
        assert expected in text


WRONG = {
    "unknown key, nearest": (
        "services: {}\nglobal_rule: {}",
        "global_rule: unknown key (did you mean 'global_rules'?)",
    ),
    "text for a number": ("services: {a: {replicas: '2'}}", "a whole number is expected, not the text '2'"),
    "number for text": (
        "services: {a: {image: 5}}",
        "text is expected, not 5 (a whole number) (put it in quotes: '5')",
    ),
    "out of range": ("services: {a: {replicas: 1000}}", "services.a.replicas: 1000 is not between 0 and 100"),
    "list for a mapping": ("services: [a]", "services: a mapping is expected, not a list"),
    "null for a mapping": (
        "services: {a: }",
        "services.a: a mapping is expected, not nothing (write {} for an empty one)",
    ),
    "null for text": ("services: {a: {image: }}", "text is expected, not nothing (write a value, or remove the key)"),
    "name of a service": ("services: {A_b: {image: x}}", "the service's name 'A_b' is not a host name"),
    "nothing starts it": ("services: {a: {}}", "nothing says how it is started"),
    "warm alone": ("services: {a: {image: x, warm: [run]}}", "services.a.warm: needs command as well"),
    "external with a command": (
        "services: {a: {external: true, command: [x], gateway: {route_prefix: /a, upstream_url: 'http://h'}}}",
        "services.a.command: an external service runs elsewhere",
    ),
    "external, not routed": (
        "services: {a: {external: true}}",
        "an external service that isn't routed to does nothing",
    ),
    "ports of one service": (
        "services: {a: {image: x, ports: {http: 90, grpc: 90}}}",
        "services.a.ports.grpc: the port 90 is the HTTP port already",
    ),
    "memory": ("services: {a: {image: x, resources: {memory: lots}}}", "'lots' is not an amount of memory"),
    "consumer's name": ("services: {}\nsecurity: {consumers: {a.b: {}}}", "the consumer's name 'a.b' has characters"),
    "jwt without secret": ("services: {}\nsecurity: {consumers: {a: {jwt: {}}}}", "jwt: HS256 needs secret"),
    "jwt with a stranger": (
        "services: {}\nsecurity: {consumers: {a: {jwt: {algorithm: RS256, public_key: x, secret: y}}}}",
        "secret: RS256 has no secret",
    ),
    "algorithm": (
        "services: {}\nsecurity: {consumers: {a: {jwt: {algorithm: RS265, public_key: x}}}}",
        "(did you mean 'RS256'?)",
    ),
    "two consumers, one key": (
        "services: {}\nsecurity: {consumers: {a: {api_key: {key: k}}, b: {api_key: {key: k}}}}",
        "security.consumers.b: api_key.key is the same as consumer 'a' has",
    ),
    "rate limit": (
        "services: {}\nsecurity: {consumers: {a: {rate_limit: {count: 1}}}}",
        "window: missing; the window's",
    ),
    "address": ("services: {}\nsecurity: {waf: {blocked_ips: [10.0.0.300]}}", "'10.0.0.300' is neither an IP address"),
    "pattern": ("services: {}\nsecurity: {waf: {blocked_uris: ['(a']}}", "'(a' is no regular expression"),
    "both lists": (
        "services: {}\nsecurity: {waf: {blocked_ips: [10.0.0.1], allowed_ips: [10.0.0.2]}}",
        "stands beside blocked_ips",
    ),
    "secret of no kind": ("services: {}\nsecurity: {secrets: {a: {}}}", "one of env, file and generate"),
    "secret file": ("services: {}\nsecurity: {secrets: {a: {file: no.pem}}}", "the file no.pem can't be read"),
    "kind": (
        "services: {}\napisix: {route: {}}",
        "the Admin API has no such kind of resource (did you mean 'routes'?)",
    ),
    "defaults that one service has": ("services: {}\ngateway: {route_prefix: /a}", "belongs to a service, not to"),
    "plugin without a mapping": ("services: {}\nglobal_rules: {prometheus: }", "(write {} for an empty one)"),
    "config without content": ("services: {}\nnacos: {configs: {a.yaml: {}}}", "neither file nor content"),
    "data ID": ("services: {}\nnacos: {configs: {a b.yaml: {content: x}}}", "the data ID 'a b.yaml' has characters"),
    "unknown tag": ("services: {}\nglobal_rules: !x {}", "global_rules"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistake(mistakes, case):
    body, expected = WRONG[case]
    found = mistakes(f"name: shop\n{body}\n")
    assert any(expected in line for line in found), found


GATEWAY = {
    "no way in": ("{nacos_service: orders}", "no request can reach the service"),
    "no way out": ("{route_prefix: /a}", "no upstream"),
    "two ways out": (
        "{route_prefix: /a, nacos_service: orders, upstream_url: 'http://h:1'}",
        "stands beside nacos_service",
    ),
    "nobody registers it": ("{route_prefix: /a, nacos_service: ordres}", "(did you mean 'orders'?)"),
    "no such service": (
        "{route_prefix: /a, upstream_url: 'http://${service:ordres}'}",
        "no service 'ordres' runs here",
    ),
    "URL with a path": (
        "{route_prefix: /a, upstream_url: 'http://h:1/base'}",
        "has a path, but an APISIX upstream has none",
    ),
    "URL of another kind": ("{route_prefix: /a, upstream_url: 'ftp://h'}", "'ftp://h' is no URL"),
    "URL with a bad port": ("{route_prefix: /a, upstream_url: 'http://h:99999'}", "is no URL of a host and a port"),
    "group beside a URL": ("{route_prefix: /a, upstream_url: 'http://h', nacos_group: G}", "means nothing beside"),
    "prefix with a slash": ("{route_prefix: /a/, nacos_service: orders}", "'/a/' is not a path such as"),
    "host": ("{route_prefix: /a, hosts: ['http://x'], nacos_service: orders}", "is not a host name"),
    "auth method": ("{route_prefix: /a, nacos_service: orders, auth: jwtt}", "(did you mean 'jwt'?)"),
    "nobody can pass": ("{route_prefix: /a, nacos_service: orders, auth: jwt}", "no consumer has a credential for jwt"),
    "auth options": ("{route_prefix: /a, nacos_service: orders, auth: {header: X}}", "auth.method: missing"),
    "public endpoint": ("{route_prefix: /a, nacos_service: orders, public: [healthz]}", "is not an endpoint such as"),
    "managed option": ("{route_prefix: /a, nacos_service: orders, upstream: {retries: 1}}", "use retries instead"),
    "stranger": ("{route_prefix: /a, nacos_service: orders, consumers: [x]}", "no consumer 'x' is declared"),
    "consumers without auth": (
        "{route_prefix: /a, nacos_service: orders, consumers: [x]}",
        "nobody is known as a consumer",
    ),
    "timeouts": ("{route_prefix: /a, nacos_service: orders, timeouts: {read: 0}}", "0 is not between 0.001 and 3600"),
}


@pytest.mark.parametrize("case", GATEWAY)
def test_mistake_at_the_gateway(mistakes, case):
    section, expected = GATEWAY[case]
    found = mistakes(f"name: shop\nservices:\n  orders:\n    command: [run]\n    gateway: {section}\n")
    assert any(expected in line for line in found), found
    assert all(line.startswith("5 ") for line in found), found


def test_a_method_that_is_none_is_told_beside_what_else_is_wrong(mistakes):
    gateway = "{route_prefix: /a, upstream_url: 'http://127.0.0.1:1', auth: ['0', jwt]}"
    found = "\n".join(mistakes(f"name: shop\nservices: {{a: {{gateway: {gateway}}}}}\n"))
    assert "'0' is not jwt or api-key" in found
    assert "no consumer has a credential for jwt" in found


def test_one_prefix_for_two_services(mistakes):
    other = "  pay: {image: x, gateway: {route_prefix: /orders, nacos_service: pay}}\n"
    assert mistakes(SMALL + other) == [
        "8 services.pay.gateway.route_prefix: /orders is the prefix of orders already ()"
    ]


def test_one_prefix_on_two_hosts_is_fine(load):
    other = "  pay: {image: x, gateway: {route_prefix: /orders, hosts: pay.example, nacos_service: pay}}\n"
    assert load(SMALL + other).services["pay"].gateway.hosts == ("pay.example",)


def test_one_host_for_two_services(mistakes):
    services = "".join(
        f"  {name}: {{image: x, gateway: {{virtual_hosts: [a.example], nacos_service: {name}}}}}\n" for name in "ab"
    )
    assert "a.example belongs to a already" in mistakes(f"name: shop\nservices:\n{services}")[0]


def test_one_data_id_twice(mistakes):
    config = "nacos: {configs: {orders.yaml: {content: {a: 1}}}}\n"
    own = SMALL.replace("    gateway:", "    config: {content: {b: 1}}\n    gateway:")
    assert "orders.yaml is declared by nacos.configs.orders.yaml already" in mistakes(own + config)[0]


# --- YAML


def test_duplicate_key(mistakes):
    assert mistakes(SMALL + "name: again\n") == ["8 name: the key stands twice (first in line 1) ()"]


def test_not_yaml(load, tmp_path):
    with pytest.raises(SpecError, match=r"platform\.yaml:2: not YAML"):
        load("name: shop\n\tservices: {}\n")


def test_no_file(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere\.yaml: can't be read: No such file"):
        load_platform(tmp_path / "nowhere.yaml")


def test_a_list_is_no_platform(mistakes):
    assert "a platform is a mapping, not a list" in mistakes("- a\n")[0]


def test_an_alias_that_leads_to_itself(load):
    with pytest.raises(SpecError, match="leads back to itself"):
        load("name: &a [*a]\n")


def test_anchors_and_merge_keys(load):
    platform = load("""\
name: shop
services:
  a: &common
    image: x
    env: {MODE: fast}
  b:
    <<: *common
    env: {MODE: slow}
""")
    assert platform.services["b"].image == "x"
    assert platform.services["b"].env == {"MODE": "slow"}


TRAPS = {
    "no as text": ("services: {a: {image: no}}", "text is expected, not no (a boolean) (put it in quotes: 'no')"),
    "yes as a flag": ("services: {a: {external: yes}}", "yes is a boolean in YAML 1.1 and text in YAML 1.2"),
    "no in a plugin": ("services: {}\nglobal_rules: {p: {countries: [no]}}", "(write false, or 'no' in quotes"),
    "on as a key": ("services: {}\nglobal_rules: {p: {on: 1}}", "YAML reads the key on as a boolean (quote it)"),
    "base 60": ("services: {}\nglobal_rules: {p: {at: 1:30}}", "YAML reads 1:30 as a number of base 60"),
    "base 60 where a number is due": ("services: {a: {replicas: 1:30}}", "YAML reads 1:30 as a number of base 60"),
    "octal": ("services: {a: {image: x, ports: {http: 08080}}}", "a whole number is expected"),
    "octal that is one": ("services: {a: {image: x, ports: {http: 010}}}", "YAML reads 010 as a number of base 8"),
}


@pytest.mark.parametrize("case", TRAPS)
def test_trap(mistakes, case):
    body, expected = TRAPS[case]
    found = mistakes(f"name: shop\n{body}\n")
    assert any(expected in line for line in found), found


def test_environment_variables_are_text_as_written(load):
    env = "{A: 1.10, B: no, C: 010, D: 2024-01-01, E: 1:30, F: true}"
    platform = load(f"name: shop\nservices: {{a: {{image: x, env: {env}}}}}\n")
    assert platform.services["a"].env == {
        "A": "1.10", "B": "no", "C": "010", "D": "2024-01-01", "E": "1:30", "F": "true",
    }  # fmt: skip


# --- environments

LAYERS = SMALL + "environments: {dev: {}, prod: prod.yaml, test: {services: {orders: {replicas: 3}}}}\n"


def test_overlay_in_place(load):
    platform = load(LAYERS, "test", prod_yaml="{}")
    assert platform.services["orders"].replicas == 3
    assert platform.environments == ("dev", "prod", "test")


def test_overlay_merges_mappings_replaces_lists_and_deletes_by_null(load):
    overlay = "services: {orders: {command: [go], gateway: {nacos_service: null, upstream_url: 'http://o:1'}}}"
    service = load(LAYERS, "prod", prod_yaml=overlay).services["orders"]
    assert service.command == ("go",)
    assert service.gateway is not None
    assert (service.gateway.route_prefix, service.gateway.nacos_service) == ("/orders", "")
    assert service.gateway.upstream_urls == ("http://o:1",)


def test_a_mistake_in_an_overlay_names_the_overlay(load):
    with pytest.raises(DeclarationError) as caught:
        load(LAYERS, "prod", prod_yaml="services:\n  orders:\n    replcias: 3\n")
    assert caught.value.where.endswith("prod.yaml:3")


def test_null_that_deletes_nothing(mistakes):
    found = mistakes(LAYERS, environment="prod", prod_yaml="services: {ordres: null}")
    assert "null deletes a key of the platform file, but there is none (did you mean 'orders'?)" in found[0]


def test_overlay_cannot_rename(mistakes):
    assert "an overlay can't change this" in mistakes(LAYERS, environment="prod", prod_yaml="name: x")[0]


def test_overlay_that_is_not_there(mistakes):
    assert "8 environments.prod: there is no file prod.yaml" in mistakes(LAYERS, environment="prod")[0]


def test_unknown_environment(load):
    with pytest.raises(SpecError, match="no environment 'tset'") as caught:
        load(LAYERS, "tset")
    assert caught.value.mend == "did you mean 'test'?"


def test_without_environments_any_is_taken(load):
    assert load(SMALL, "staging").environment == "staging"


# --- variables and secrets


def test_variables(load):
    text = SMALL.replace("nacos_service: orders", "upstream_url: 'http://${HOST:-fallback}:${PORT}'")
    platform = load(text, environ={"PORT": "81"})
    assert platform.services["orders"].gateway.upstream_urls == ("http://fallback:81",)


def test_a_variable_that_is_not_set(mistakes):
    text = SMALL.replace("nacos_service: orders", "upstream_url: 'http://${HOST}'")
    found = mistakes(text)
    assert "the environment variable HOST is not set (export HOST=…, or give a default)" in found[0]


def test_the_environment_is_a_variable_and_a_dollar_can_be_kept(load):
    text = SMALL + "    env: {A: '${DEPLOY_ENV}', B: '$${DEPLOY_ENV}'}\n"
    assert load(text, "dev").services["orders"].env == {"A": "dev", "B": "${DEPLOY_ENV}"}


SECRETS = """\
name: shop
services: {{}}
security:
  secrets:
    given: {given}
  consumers:
    web: {{jwt: {{secret: "${{secret:given}}"}}}}
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a-fixed-secret", "a-fixed-secret"),
        ("${KEY}", "from-environment"),
        ("{env: KEY}", "from-environment"),
        ("{env: OTHER, default: fallback}", "fallback"),
        ("{file: key.pem}", "from-file"),
    ],
)
def test_secret(load, given, expected):
    platform = load(SECRETS.format(given=given), environ={"KEY": "from-environment"}, key_pem="from-file\n")
    jwt = platform.security.jwt["web"]
    assert (jwt.key, jwt.secret, jwt.signing_key) == ("web", expected, expected)
    assert expected in platform.security.secret_values


def test_generated_secret_is_new_each_time(load):
    first, second = (load(SECRETS.format(given="{generate: 40}")).security.secrets["given"] for _ in range(2))
    assert len(first) == len(second) == 40
    assert first != second


def test_unknown_secret(mistakes):
    text = SECRETS.format(given="x").replace("secret:given", "secret:gven")
    assert "no secret 'gven' is declared (did you mean 'given'?)" in mistakes(text)[0]


def test_secrets_are_in_no_repr(load):
    platform = load(SECRETS.format(given="a-fixed-secret"))
    assert "a-fixed-secret" not in repr(platform)


def test_asymmetric_consumer_signs_with_the_private_key(load):
    pair = "{algorithm: RS256, public_key: public, private_key: private}"
    platform = load(f"name: shop\nservices: {{}}\nsecurity: {{consumers: {{web: {{jwt: {pair}}}}}}}\n")
    assert platform.security.jwt["web"].signing_key == "private"
    assert platform.security.secret_values == ("private",)


# --- Nacos configuration

CONFIGURED = (
    "name: shop\nservices:\n  a:\n    image: x\n    config: {config}\nsecurity: {{secrets: {{key: s3cret-value}}}}\n"
)


def test_a_file_is_published_as_it_stands(load):
    text = "# a comment\nlevel: 1\n"
    assert load(CONFIGURED.format(config="{file: a.yaml}"), a_yaml=text).services["a"].config.content == text


def test_content_is_laid_over_the_file(load):
    config = "{file: a.yaml, content: {level: 2, deep: {key: '${secret:key}'}}}"
    found = load(CONFIGURED.format(config=config), a_yaml="level: 1\ndeep: {other: kept}\n").services["a"].config
    assert (found.data_id, found.type) == ("a.yaml", "yaml")
    assert found.content == "level: 2\ndeep:\n  other: kept\n  key: s3cret-value\n"


def test_json_content(load):
    config = "{data_id: a.json, file: in.json, content: {b: 2}}"
    found = load(CONFIGURED.format(config=config), in_json='{\n\t"a": 1}').services["a"].config
    assert (found.data_id, found.type, found.content) == ("a.json", "json", '{\n  "a": 1,\n  "b": 2\n}\n')


def test_other_placeholders_in_content_are_not_ours(load):
    config = "{type: properties, content: 'url=${db.url}'}"
    assert load(CONFIGURED.format(config=config)).services["a"].config.content == "url=${db.url}"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{file: none.yaml}", "none.yaml can't be read"),
        ("{file: a.yaml}", "config.file: not YAML"),
        ("{type: toml, content: {a: 1}}", "only yaml and json may be given as a mapping"),
        ("{type: ini, content: x}", "'ini' is none of yaml"),
        ("{content: {a: 1}, group: 'a b'}", "'a b' is not a Nacos group"),
    ],
)
def test_bad_config(mistakes, config, expected):
    found = mistakes(CONFIGURED.format(config=config), a_yaml="a: [\n")
    assert any(expected in line for line in found), found


def test_text_over_a_file(mistakes):
    found = mistakes(CONFIGURED.format(config="{file: a.yaml, content: text}"), a_yaml="a: 1\n")
    assert "text can't be laid over a file" in found[0]


# --- the gateway's defaults


def test_defaults_are_under_each_service(load):
    text = SMALL + "gateway: {retries: 2, timeouts: 3, plugins: {cors: {max_age: 5}, gzip: {}}}\n"
    text = text.replace(
        "route_prefix: /orders", "route_prefix: /orders\n      plugins: {gzip: null, cors: {max_age: 6}}"
    )
    gateway = load(text).services["orders"].gateway
    assert (gateway.retries, gateway.timeouts.read, gateway.plugins) == (2, 3, {"cors": {"max_age": 6}})


def test_a_mistake_in_the_defaults_is_told_once(mistakes):
    assert mistakes(SMALL + "gateway: {retries: many}\n") == [
        "8 gateway.retries: a whole number is expected, not the text 'many' ()"
    ]
