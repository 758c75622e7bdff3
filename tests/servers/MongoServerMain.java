import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;

/** A MongoDB-speaking server on a free port of 127.0.0.1, until its input ends. An argument names a file to keep data in. */
public class MongoServerMain {
    public static void main(String[] args) throws Exception {
        MongoServer server = new MongoServer(args.length > 0 ? new H2Backend(args[0]) : new MemoryBackend());
        server.bind(new InetSocketAddress("127.0.0.1", 0));
        System.out.println("port " + server.getLocalAddress().getPort());
        while (System.in.read() >= 0) { }
        server.shutdownNow();
    }
}
