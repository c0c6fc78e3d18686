import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import org.zeromq.SocketType;
import org.zeromq.ZContext;
import org.zeromq.ZEvent;
import org.zeromq.ZMQ;
import org.zeromq.ZMonitor;

/**
 * A JeroMQ peer for the interop tests, driven over standard input and output by the commands of peer.py in
 * socket/internal/pyzmq, as far as the tests with JeroMQ need them: each input line is a JSON command
 * {"id", "op", "sock", ...}, each output line the answer to one. Every socket has a thread of its own, which carries
 * out the socket's commands in the order they came. End of input ends the process at once, so that none is orphaned.
 */
public class Peer
{
    static final ZContext context = new ZContext();
    static final Map<Long, Peer> peers = new ConcurrentHashMap<>();
    static final PrintStream out = System.out;
    static final int PATIENCE = 50_000; // ms

    final ZMQ.Socket socket;
    final long number;
    final ExecutorService thread = Executors.newSingleThreadExecutor(Peer::daemon);
    final List<String> events = new ArrayList<>(); // guarded by itself
    boolean monitored;

    Peer(long number, SocketType type)
    {
        this.number = number;
        socket = context.createSocket(type);
        socket.setLinger(0);
    }

    public static void main(String[] args) throws Exception
    {
        System.setOut(System.err); // JeroMQ prints some of its complaints
        daemon(Peer::watchStalls).start();
        answer(0, Map.of("version", ZMQ.class.getProtectionDomain().getCodeSource().getLocation().getPath()));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null; ) {
            Map<String, Object> command = new Json(line).object();
            try {
                dispatch(command);
            }
            catch (Exception e) {
                answer(number(command, "id", 0), failure(command, e));
            }
        }
        Runtime.getRuntime().halt(0);
    }

    static Thread daemon(Runnable r)
    {
        Thread t = new Thread(r);
        t.setDaemon(true);
        return t;
    }

    static void dispatch(Map<String, Object> c) throws Exception
    {
        long id = number(c, "id", 0);
        long sock = number(c, "sock", 0);
        switch ((String) c.get("op")) {
        case "socket":
            Peer made = new Peer(sock, SocketType.valueOf((String) c.get("type")));
            made.set((Map<?, ?>) c.get("options"));
            peers.put(sock, made);
            answer(id, Map.of());
            return;
        case "authenticate":
            authenticate((Map<?, ?>) c.get("users"), byteList(c, "keys"), (Map<?, ?>) c.get("statuses"));
            answer(id, Map.of());
            return;
        case "stalls":
            answer(id, Map.of("count", worstStall(number(c, "ms", 0))));
            return;
        default:
        }
        Peer p = peers.get(sock);
        switch ((String) c.get("op")) {
        case "events": // these two do not run on the socket's thread
            answer(id, Map.of("events", p.eventsSoFar()));
            return;
        case "waitevent":
            daemon(() -> attempt(id, c, () -> p.waitEvent((String) c.get("name"), number(c, "count", 1)))).start();
            return;
        case "close":
            peers.remove(sock);
            break;
        default:
        }
        p.thread.execute(() -> attempt(id, c, () -> p.run(c)));
    }

    static void attempt(long id, Map<String, Object> c, Callable<Map<String, ?>> work)
    {
        Map<String, ?> result;
        try {
            result = work.call();
        }
        catch (Throwable e) {
            result = failure(c, e);
        }
        answer(id, result);
    }

    static Map<String, ?> failure(Map<String, Object> c, Throwable e)
    {
        return Map.of("error", c.get("op") + ": " + e, "timeout", e instanceof TimeoutException);
    }

    static synchronized void answer(long id, Map<String, ?> result)
    {
        Map<String, Object> all = new HashMap<>(result);
        all.put("id", id);
        out.println(Json.text(all));
        out.flush();
    }

    // One command of a socket, on its thread.
    Map<String, ?> run(Map<String, Object> c) throws Exception
    {
        int timeout = (int) number(c, "timeout", PATIENCE);
        switch ((String) c.get("op")) {
        case "set":
            set((Map<?, ?>) c.get("options"));
            return Map.of();
        case "bind":
            socket.bind((String) c.get("endpoint"));
            return Map.of("endpoint", socket.getLastEndpoint());
        case "connect":
            socket.connect((String) c.get("endpoint"));
            return Map.of();
        case "subscribe":
            byteList(c, "topics").forEach(socket::subscribe);
            return Map.of();
        case "monitor":
            monitor();
            return Map.of();
        case "close":
            socket.close();
            thread.shutdown();
            return Map.of();
        case "poll": {
            ZMQ.Poller poller = context.createPoller(1);
            poller.register(socket, "POLLIN".equals(c.get("flag")) ? ZMQ.Poller.POLLIN : ZMQ.Poller.POLLOUT);
            int ready = poller.poll(timeout);
            poller.close();
            return Map.of("count", ready);
        }
        case "send":
            send(byteList(c, "frames"), timeout);
            return Map.of();
        case "recv": {
            List<String> frames = new ArrayList<>();
            receive(timeout).forEach(f -> frames.add(Base64.getEncoder().encodeToString(f)));
            return Map.of("frames", frames);
        }
        case "sendmany":
            return many(c, timeout, (frames, i) -> send(frames, timeout));
        case "askmany":
            return many(c, timeout, (frames, i) -> {
                send(frames, timeout);
                List<byte[]> reply = receive(timeout);
                if (!Arrays.deepEquals(reply.toArray(), frames.toArray())) {
                    throw new IllegalStateException("the reply to request " + i + " is not the request");
                }
            });
        case "recvmany": {
            Stream s = new Stream();
            for (long n = number(c, "count", 0); s.count < n; ) {
                s.add(receive(timeout));
            }
            return s.result();
        }
        case "echo": {
            Stream s = new Stream();
            for (long n = number(c, "count", 0); s.count < n; ) {
                List<byte[]> frames = receive(timeout);
                s.add(frames);
                send(frames, timeout);
            }
            return s.result();
        }
        default:
            throw new IllegalArgumentException("no such command");
        }
    }

    interface Work
    {
        void on(List<byte[]> frames, int i) throws Exception;
    }

    // Makes messages and has something done with each. sizes is a list of messages, each a list of frame sizes, gone
    // through again and again.
    static Map<String, ?> many(Map<String, Object> c, int timeout, Work work) throws Exception
    {
        Stream s = new Stream();
        List<?> sizes = (List<?>) c.get("sizes");
        for (int i = 0; i < number(c, "count", 0); i++) {
            List<byte[]> frames = new ArrayList<>();
            for (Object n : (List<?>) sizes.get(i % sizes.size())) {
                frames.add(piece(((Long) n).intValue()));
            }
            s.add(frames);
            work.on(frames, i);
        }
        return s.result();
    }

    void send(List<byte[]> frames, int timeout) throws TimeoutException
    {
        socket.setSendTimeOut(timeout);
        for (int i = 0; i < frames.size(); i++) {
            if (!socket.send(frames.get(i), i < frames.size() - 1 ? ZMQ.SNDMORE : 0)) {
                throw new TimeoutException("not sent within " + timeout + " ms: errno " + socket.errno());
            }
        }
    }

    List<byte[]> receive(int timeout) throws TimeoutException
    {
        socket.setReceiveTimeOut(timeout);
        List<byte[]> frames = new ArrayList<>();
        do {
            byte[] f = socket.recv();
            if (f == null) {
                throw new TimeoutException("nothing within " + timeout + " ms: errno " + socket.errno());
            }
            frames.add(f);
        } while (socket.hasReceiveMore());
        return frames;
    }

    // Options are named as in libzmq.
    void set(Map<?, ?> options)
    {
        options.forEach((name, v) -> {
            String text = v instanceof Map ? new String(unbase64(((Map<?, ?>) v).get("b64"))) : String.valueOf(v);
            switch ((String) name) {
            case "CURVE_SERVER" -> socket.setCurveServer(text.equals("1"));
            case "CURVE_SECRETKEY" -> socket.setCurveSecretKey(ZMQ.Curve.z85Decode(text));
            case "CURVE_PUBLICKEY" -> socket.setCurvePublicKey(ZMQ.Curve.z85Decode(text));
            case "CURVE_SERVERKEY" -> socket.setCurveServerKey(ZMQ.Curve.z85Decode(text));
            case "PLAIN_SERVER" -> socket.setPlainServer(text.equals("1"));
            case "PLAIN_USERNAME" -> socket.setPlainUsername(text);
            case "PLAIN_PASSWORD" -> socket.setPlainPassword(text);
            case "ROUTING_ID" -> socket.setIdentity(text.getBytes());
            case "SNDHWM" -> socket.setSndHWM(Integer.parseInt(text));
            case "RCVHWM" -> socket.setRcvHWM(Integer.parseInt(text));
            case "RECONNECT_IVL" -> socket.setReconnectIVL(Integer.parseInt(text));
            case "HEARTBEAT_IVL" -> socket.setHeartbeatIvl(Integer.parseInt(text));
            case "HEARTBEAT_TIMEOUT" -> socket.setHeartbeatTimeout(Integer.parseInt(text));
            case "HEARTBEAT_TTL" -> socket.setHeartbeatTtl(Integer.parseInt(text));
            default -> throw new IllegalArgumentException("no option " + name);
            }
        });
    }

    void monitor()
    {
        if (monitored) {
            return;
        }
        monitored = true;
        String at = "inproc://monitor-" + number;
        socket.monitor(at, ZMQ.EVENT_ALL);
        ZMQ.Socket pair = context.createSocket(SocketType.PAIR);
        pair.connect(at);
        daemon(() -> {
            for (ZMonitor.Event e = null; e != ZMonitor.Event.MONITOR_STOPPED; ) {
                ZEvent seen = ZEvent.recv(pair);
                if (seen == null) {
                    break;
                }
                e = seen.getEvent();
                synchronized (events) {
                    events.add(e.name());
                    events.notifyAll();
                }
            }
            pair.close();
        }).start();
    }

    List<String> eventsSoFar()
    {
        synchronized (events) {
            return new ArrayList<>(events);
        }
    }

    Map<String, ?> waitEvent(String name, long count) throws InterruptedException
    {
        long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE);
        synchronized (events) {
            while (Collections.frequency(events, name) < count) {
                long left = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
                if (left <= 0) {
                    return Map.of("error", "waitevent: no " + name + " number " + count + " but " + events);
                }
                events.wait(left);
            }
            return Map.of("events", new ArrayList<>(events));
        }
    }

    // Decides for all PLAIN and CURVE servers of this process which clients may come in (RFC 27). users are names with
    // passwords, keys public keys; statuses has for a user of PLAIN what is answered in any case.
    static void authenticate(Map<?, ?> users, List<byte[]> keys, Map<?, ?> statuses)
    {
        ZMQ.Socket handler = context.createSocket(SocketType.REP);
        handler.bind("inproc://zeromq.zap.01");
        Set<ByteBuffer> allowed = new HashSet<>();
        keys.forEach(k -> allowed.add(ByteBuffer.wrap(k)));
        daemon(() -> {
            while (true) {
                // version, id, domain, address, identity, mechanism, credentials
                List<byte[]> request = new ArrayList<>();
                do {
                    request.add(handler.recv());
                } while (handler.hasReceiveMore());
                String user = "somebody";
                boolean good;
                if (new String(request.get(5)).equals("PLAIN")) {
                    user = new String(request.get(6));
                    good = new String(request.get(7)).equals(users.get(user));
                }
                else {
                    good = allowed.contains(ByteBuffer.wrap(request.get(6)));
                }
                Object told = statuses.get(user);
                String status = told != null ? (String) told : good ? "200" : "400";
                handler.sendMore(request.get(0));
                handler.sendMore(request.get(1));
                handler.sendMore(status);
                handler.sendMore("");
                handler.sendMore(status.equals("200") ? user : "");
                handler.send("");
            }
        }).start();
    }

    // When they ended, and for how long they were, in ms.
    static final List<long[]> stalls = Collections.synchronizedList(new ArrayList<>());

    // Notes when this process did not get to run.
    static void watchStalls()
    {
        for (long last = millis(); ; ) {
            try {
                Thread.sleep(5);
            }
            catch (InterruptedException e) {
                return;
            }
            long now = millis();
            if (now - last > 45) {
                stalls.add(new long[] {now, now - last});
            }
            last = now;
        }
    }

    static long millis()
    {
        return System.nanoTime() / 1_000_000;
    }

    static long worstStall(long ms)
    {
        long since = millis() - ms;
        synchronized (stalls) {
            return stalls.stream().filter(s -> s[0] > since).mapToLong(s -> s[1]).max().orElse(0);
        }
    }

    static long number(Map<String, Object> c, String name, long otherwise)
    {
        return c.get(name) instanceof Long n ? n : otherwise;
    }

    static byte[] unbase64(Object text)
    {
        return Base64.getDecoder().decode((String) text);
    }

    static List<byte[]> byteList(Map<String, Object> c, String name)
    {
        List<byte[]> all = new ArrayList<>();
        ((List<?>) c.get(name)).forEach(f -> all.add(unbase64(f)));
        return all;
    }

    // Random bytes, made once: a frame is a piece of them from a place that differs from frame to frame.
    static final byte[] pool = new byte[(1 << 20) + 65536];
    static int step;

    static {
        new Random(1).nextBytes(pool);
    }

    static synchronized byte[] piece(int size)
    {
        step = (step + 7919) % 65521;
        return Arrays.copyOfRange(pool, step, step + size);
    }

    /** A hash of a sequence of messages: contents, frame borders and order all count. */
    static class Stream
    {
        final MessageDigest hash;
        int count;
        long bytes;

        Stream() throws Exception
        {
            hash = MessageDigest.getInstance("SHA-256");
        }

        void add(List<byte[]> frames)
        {
            hash.update(ByteBuffer.allocate(4).putInt(frames.size()).array());
            for (byte[] f : frames) {
                hash.update(ByteBuffer.allocate(8).putLong(f.length).array());
                hash.update(f);
                bytes += f.length;
            }
            count++;
        }

        Map<String, ?> result()
        {
            return Map.of("count", count, "bytes", bytes, "hash", HexFormat.of().formatHex(hash.digest()));
        }
    }

    /** As much of JSON as the commands have, whole numbers among it. */
    static class Json
    {
        final String text;
        int at;

        Json(String text)
        {
            this.text = text;
        }

        @SuppressWarnings("unchecked")
        Map<String, Object> object()
        {
            return (Map<String, Object>) value();
        }

        Object value()
        {
            switch (text.charAt(at)) {
            case '{': {
                Map<String, Object> m = new HashMap<>();
                for (at++; text.charAt(at) != '}'; skip(',')) {
                    String key = string();
                    skip(':');
                    m.put(key, value());
                }
                at++;
                return m;
            }
            case '[': {
                List<Object> l = new ArrayList<>();
                for (at++; text.charAt(at) != ']'; skip(',')) {
                    l.add(value());
                }
                at++;
                return l;
            }
            case '"':
                return string();
            default:
                int from = at;
                while (at < text.length() && ",]}".indexOf(text.charAt(at)) < 0) {
                    at++;
                }
                String word = text.substring(from, at);
                return word.equals("null") ? null : Long.valueOf(word);
            }
        }

        void skip(char c)
        {
            if (text.charAt(at) == c) {
                at++;
            }
        }

        String string()
        {
            StringBuilder b = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char c = text.charAt(at);
                if (c == '\\') {
                    c = text.charAt(++at);
                    if (c == 'u') {
                        c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                        at += 4;
                    }
                    else if ("bfnrt".indexOf(c) >= 0) {
                        c = "\b\f\n\r\t".charAt("bfnrt".indexOf(c));
                    }
                }
                b.append(c);
            }
            at++;
            return b.toString();
        }

        static String text(Object v)
        {
            if (v instanceof Map<?, ?> m) {
                List<String> all = new ArrayList<>();
                m.forEach((k, w) -> all.add(text(k) + ":" + text(w)));
                return "{" + String.join(",", all) + "}";
            }
            if (v instanceof List<?> l) {
                List<String> all = new ArrayList<>();
                l.forEach(w -> all.add(text(w)));
                return "[" + String.join(",", all) + "]";
            }
            if (!(v instanceof String s)) {
                return String.valueOf(v);
            }
            StringBuilder b = new StringBuilder("\"");
            for (char c : s.toCharArray()) {
                if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                    b.append(String.format("\\u%04x", (int) c));
                }
                else {
                    b.append(c);
                }
            }
            return b.append('"').toString();
        }
    }
}
