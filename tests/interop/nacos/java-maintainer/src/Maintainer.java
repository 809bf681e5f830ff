import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.common.utils.JacksonUtils;
import com.alibaba.nacos.maintainer.client.config.ConfigMaintainerFactory;
import com.alibaba.nacos.maintainer.client.config.ConfigMaintainerService;
import com.alibaba.nacos.maintainer.client.naming.NamingMaintainerFactory;
import com.alibaba.nacos.maintainer.client.naming.NamingMaintainerService;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** Calls the methods of the official maintainer client by name: {"op": "config.getConfig", "args": ["d", "g", "n"]}. */
public class Maintainer {
    private static final PrintStream ANSWERS = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final Map<String, Object> services = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err); // what the SDK prints must not mix with the answers
        Maintainer program = new Maintainer();
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
        } catch (InvocationTargetException error) {
            answer.put("error", told(error.getCause()));
        } catch (Exception error) {
            answer.put("error", told(error));
        }
        ANSWERS.println(JacksonUtils.toJson(answer));
    }

    private static String told(Throwable error) {
        boolean coded = error instanceof NacosException;
        return coded ? ((NacosException) error).getErrCode() + ": " + error.getMessage() : error.toString();
    }

    private Object act(Map<?, ?> command) throws Exception {
        String op = (String) command.get("op");
        if (op.equals("open")) {
            open(command);
            return null;
        }
        String[] name = op.split("\\.");
        Object[] given = ((List<?>) command.get("args")).toArray();
        Class<?> api = name[0].equals("config") ? ConfigMaintainerService.class : NamingMaintainerService.class;
        Exception mismatch = new NoSuchMethodException(op + " of " + given.length + " arguments");
        for (Method method : api.getMethods()) {
            if (!method.getName().equals(name[1]) || method.getParameterCount() != given.length) {
                continue;
            }
            Object[] arguments;
            try {
                arguments = converted(given, method.getGenericParameterTypes());
            } catch (IllegalArgumentException unfit) {
                mismatch = unfit;
                continue; // another method of this name and as many parameters
            }
            return method.invoke(services.get(name[0]), arguments);
        }
        throw mismatch;
    }

    private void open(Map<?, ?> command) throws NacosException {
        Properties properties = new Properties();
        properties.setProperty("serverAddr", (String) command.get("server"));
        if (command.get("username") != null) {
            properties.setProperty("username", (String) command.get("username"));
            properties.setProperty("password", (String) command.get("password"));
        }
        services.put("config", ConfigMaintainerFactory.createConfigMaintainerService(properties));
        services.put("naming", NamingMaintainerFactory.createNamingMaintainerService(properties));
    }

    private static Object[] converted(Object[] given, Type[] types) {
        Object[] made = new Object[given.length];
        for (int i = 0; i < given.length; i++) {
            made[i] = converted(given[i], types[i]);
        }
        return made;
    }

    /** The argument as the parameter's type; IllegalArgumentException for one that it can't be. */
    private static Object converted(Object given, Type type) {
        if (type instanceof ParameterizedType && List.class.equals(((ParameterizedType) type).getRawType())) {
            List<Object> made = new ArrayList<>();
            for (Object one : (List<?>) given) {
                made.add(converted(one, ((ParameterizedType) type).getActualTypeArguments()[0]));
            }
            return made;
        }
        Class<?> wanted = (Class<?>) (type instanceof ParameterizedType ? ((ParameterizedType) type).getRawType() : type);
        boolean isText = wanted == String.class;
        boolean isNumber = wanted == int.class || wanted == Integer.class || wanted == Long.class || wanted == float.class;
        boolean isFlag = wanted == boolean.class;
        if (given != null && (isText != given instanceof String && !wanted.isEnum() || isNumber != given instanceof Number
                || isFlag != given instanceof Boolean)) {
            throw new IllegalArgumentException(given + " is no " + wanted);
        }
        if (given == null || isText || isFlag) {
            return given;
        }
        if (isNumber) {
            Number number = (Number) given;
            return wanted == Long.class ? (Object) number.longValue()
                    : wanted == float.class ? (Object) number.floatValue() : (Object) number.intValue();
        }
        return JacksonUtils.toObj(JacksonUtils.toJson(given), wanted);
    }
}
