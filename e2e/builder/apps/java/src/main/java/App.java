import com.google.gson.Gson;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

/** Answers with the version of its dependency. */
public class App {
    public static void main(String[] args) throws IOException {
        var library = new Properties();
        library.load(Gson.class.getResourceAsStream("/META-INF/maven/com.google.code.gson/gson/pom.properties"));
        var line = "Java with gson " + library.getProperty("version") + "\n";

        var server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
        server.createContext("/", exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "text/plain");
            exchange.sendResponseHeaders(200, line.length());
            exchange.getResponseBody().write(line.getBytes(StandardCharsets.US_ASCII));
            exchange.close();
        });
        server.start();
    }
}
