import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.config.listener.ConfigFuzzyWatchChangeEvent;
import com.alibaba.nacos.api.lock.LockService;
import com.alibaba.nacos.api.lock.NacosLockFactory;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.FuzzyWatchChangeEvent;
import com.alibaba.nacos.client.lock.core.NLockFactory;
import com.alibaba.nacos.common.utils.JacksonUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** Fuzzy watches and locks of the official 3.x client, driven by JSON lines. */
public class Watch {
    private static final PrintStream ANSWERS = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private ConfigService config;
    private NamingService naming;
    private LockService locks;
    private final ServiceWatcher services = new ServiceWatcher();
    private final ConfigWatcher configs = new ConfigWatcher();

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err); // what the SDK prints must not mix with the answers
        Watch program = new Watch();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            program.obey(JacksonUtils.toObj(line, Map.class));
        }
        Runtime.getRuntime().halt(0);
    }

    private void obey(Map<?, ?> command) {
        Map<String, Object> answer = new HashMap<>();
        answer.put("id", command.get("id"));
        try {
            answer.put("value", act(command));
        } catch (Exception error) {
            answer.put("error", error.toString());
        }
        say(answer);
    }

    private Object act(Map<?, ?> it) throws Exception {
        String pattern = (String) it.get("pattern");
        String group = (String) it.get("group");
        switch ((String) it.get("op")) {
            case "open":
                return open((String) it.get("server"));
            case "watch_services":
                return new TreeSet<>(naming.fuzzyWatchWithServiceKeys(pattern, group, services)
                        .get(20, TimeUnit.SECONDS).getData());
            case "watch_configs":
                return new TreeSet<>(config.fuzzyWatchWithGroupKeys(pattern, group, configs).get(20, TimeUnit.SECONDS));
            case "cancel_services":
                naming.cancelFuzzyWatch(pattern, group, services);
                return null;
            case "lock":
                return locks.lock(NLockFactory.getLock((String) it.get("key"), ((Number) it.get("millis")).longValue()));
            case "unlock":
                return locks.unLock(NLockFactory.getLock((String) it.get("key")));
            default:
                throw new IllegalArgumentException("unknown op " + it.get("op"));
        }
    }

    private Object open(String server) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("serverAddr", server);
        naming = NacosFactory.createNamingService(properties);
        config = NacosFactory.createConfigService(properties);
        locks = NacosLockFactory.createLockService(properties);
        return null;
    }

    private static synchronized void say(Map<String, Object> message) {
        ANSWERS.println(JacksonUtils.toJson(message));
    }

    /** Says what changed. */
    private static class ServiceWatcher extends com.alibaba.nacos.api.naming.listener.AbstractFuzzyWatchEventWatcher {
        @Override
        public void onEvent(FuzzyWatchChangeEvent event) {
            say(Map.of("event", "service", "name", event.getServiceName(), "change", event.getChangeType(), "sync",
                    event.getSyncType()));
        }
    }

    /** Says what changed. */
    private static class ConfigWatcher extends com.alibaba.nacos.api.config.listener.AbstractFuzzyWatchEventWatcher {
        @Override
        public void onEvent(ConfigFuzzyWatchChangeEvent event) {
            say(Map.of("event", "config", "name", event.getDataId(), "change", event.getChangedType(), "sync",
                    event.getSyncType()));
        }
    }
}
