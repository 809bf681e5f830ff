import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.config.listener.AbstractListener;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;
import com.alibaba.nacos.common.utils.JacksonUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** The official nacos-client (gRPC), driven by JSON lines. */
public class Program {
    private static final PrintStream ANSWERS = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private ConfigService config;
    private NamingService naming;

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err); // what the SDK prints must not mix with the answers
        Program program = new Program();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            program.obey(new Command(line));
        }
        Runtime.getRuntime().halt(0);
    }

    private void obey(Command command) {
        Map<String, Object> answer = new HashMap<>();
        answer.put("id", command.fields.get("id"));
        try {
            answer.put("value", act(command));
        } catch (Exception error) {
            answer.put("error", error.toString());
        }
        say(answer);
    }

    private Object act(Command it) throws Exception {
        switch (it.text("op")) {
            case "open":
                return open(it);
            case "publish":
                return config.publishConfig(it.text("data_id"), it.text("group"), it.text("content"), it.text("type"));
            case "publish_cas":
                return config.publishConfigCas(it.text("data_id"), it.text("group"), it.text("content"), it.text("md5"));
            case "get":
                return config.getConfig(it.text("data_id"), it.text("group"), 5000);
            case "remove":
                return config.removeConfig(it.text("data_id"), it.text("group"));
            case "listen":
                return listen(it.text("data_id"), it.text("group"));
            case "register":
                naming.registerInstance(it.text("service"), it.text("group"), it.instance());
                return true;
            case "deregister":
                naming.deregisterInstance(it.text("service"), it.text("group"), it.instance());
                return true;
            case "batch":
                naming.batchRegisterInstance(it.text("service"), it.text("group"), it.instances());
                return true;
            case "instances":
                return shown(naming.getAllInstances(it.text("service"), it.text("group")));
            case "services":
                return naming.getServicesOfServer(1, 100, it.text("group")).getData();
            case "subscribe":
                return subscribe(it.text("service"), it.text("group"));
            default:
                throw new IllegalArgumentException("unknown op " + it.text("op"));
        }
    }

    private Object open(Command it) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("serverAddr", it.text("server"));
        properties.setProperty("namespace", it.text("namespace"));
        if (!it.text("username").isEmpty()) {
            properties.setProperty("username", it.text("username"));
            properties.setProperty("password", it.text("password"));
        }
        naming = NacosFactory.createNamingService(properties);
        config = NacosFactory.createConfigService(properties);
        return null;
    }

    private Object listen(String dataId, String group) throws Exception {
        config.addListener(dataId, group, new AbstractListener() {
            @Override
            public void receiveConfigInfo(String content) {
                Map<String, Object> event = new HashMap<>();
                event.put("event", "config");
                event.put("data_id", dataId);
                event.put("group", group);
                event.put("content", content);
                say(event);
            }
        });
        return null;
    }

    private Object subscribe(String service, String group) throws Exception {
        naming.subscribe(service, group, event -> {
            List<Integer> ports = new ArrayList<>();
            for (Instance instance : ((NamingEvent) event).getInstances()) {
                ports.add(instance.getPort());
            }
            say(Map.of("event", "hosts", "service", service, "group", group, "ports", ports));
        });
        return null;
    }

    private static List<Map<String, Object>> shown(List<Instance> instances) {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Instance instance : instances) {
            shown.add(Map.of("ip", instance.getIp(), "port", instance.getPort(), "weight", instance.getWeight(),
                    "healthy", instance.isHealthy(), "metadata", instance.getMetadata()));
        }
        return shown;
    }

    private static synchronized void say(Map<String, Object> message) {
        ANSWERS.println(JacksonUtils.toJson(message));
    }

    /** One line of stdin. */
    private record Command(Map<String, Object> fields) {
        @SuppressWarnings("unchecked")
        Command(String line) {
            this((Map<String, Object>) JacksonUtils.toObj(line, Map.class));
        }

        String text(String name) {
            Object value = fields.get(name);
            return value == null ? "" : value.toString();
        }

        Instance instance() {
            return instance((Integer) fields.get("port"));
        }

        List<Instance> instances() {
            List<Instance> found = new ArrayList<>();
            for (Object port : (List<?>) fields.get("ports")) {
                found.add(instance((Integer) port));
            }
            return found;
        }

        @SuppressWarnings("unchecked")
        private Instance instance(int port) {
            Instance instance = new Instance();
            instance.setIp(text("ip"));
            instance.setPort(port);
            instance.setWeight(((Number) fields.getOrDefault("weight", 1)).doubleValue());
            instance.setEphemeral((Boolean) fields.getOrDefault("ephemeral", true));
            instance.setMetadata((Map<String, String>) fields.getOrDefault("metadata", new HashMap<>()));
            return instance;
        }
    }
}
