// One side of a measurement on libzmq; side.go is the same on Go peers, and tells what is said on the standard streams.
//
//   libzmq ROLE ENDPOINT SIZE COUNT WARM SOCKETS SUBS HWM
//
// One context with its default of one I/O thread; each socket of a side with many is used by its own thread.
// Messages are sent by reference to one body (zmq_msg_copy counts it, it copies nothing above 33 bytes), as Yodel sends
// one slice again and again. It is quicker for libzmq than a new body a message, as its own perf programs do it.
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static const char *role, *endpoint;
static size_t size;
static long count, warm, sockets, subs, hwm;
static void *ctx;

static void die(const char *what) {
	fprintf(stderr, "libzmq: %s: %s\n", what, zmq_strerror(zmq_errno()));
	exit(1);
}
static void must(int rc, const char *what) {
	if (rc < 0) die(what);
}

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static long long cpu(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}
static long long memory(void) {
	long long total, resident;
	malloc_trim(0);
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%lld %lld", &total, &resident) != 2) die("statm");
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

static void *open_socket(int type) {
	void *s = zmq_socket(ctx, type);
	if (!s) die("zmq_socket");
	int n = (int)hwm, forever = -1, backlog = 1024;
	must(zmq_setsockopt(s, ZMQ_SNDHWM, &n, sizeof n), "SNDHWM");
	must(zmq_setsockopt(s, ZMQ_RCVHWM, &n, sizeof n), "RCVHWM");
	must(zmq_setsockopt(s, ZMQ_LINGER, &forever, sizeof forever), "LINGER");
	must(zmq_setsockopt(s, ZMQ_BACKLOG, &backlog, sizeof backlog), "BACKLOG");
	return s;
}
// With -DCURVE the two sides prove to each other who they are, by the keys of the manual page of zmq_curve, and
// everything is encrypted.
static void secure(void *s, int server) {
#ifdef CURVE
	static const char server_public[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
	static const char server_secret[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
	static const char client_public[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
	static const char client_secret[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
	if (server) {
		must(zmq_setsockopt(s, ZMQ_CURVE_SERVER, &server, sizeof server), "CURVE_SERVER");
		must(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, server_secret, sizeof server_secret), "CURVE_SECRETKEY");
	} else {
		must(zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, server_public, sizeof server_public), "CURVE_SERVERKEY");
		must(zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, client_public, sizeof client_public), "CURVE_PUBLICKEY");
		must(zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, client_secret, sizeof client_secret), "CURVE_SECRETKEY");
	}
#else
	(void)s, (void)server;
#endif
}
static void *bound(int type) {
	char actual[256];
	size_t n = sizeof actual;
	void *s = open_socket(type);
	if (type == ZMQ_PUB) { // block on a full subscriber, as the other peers are told to
		int on = 1;
		must(zmq_setsockopt(s, ZMQ_XPUB_NODROP, &on, sizeof on), "XPUB_NODROP");
	}
	if (!strcmp(role, "idle")) { // it has no heartbeats unless asked; these are Yodel's
		int interval = 5000, timeout = 15000;
		must(zmq_setsockopt(s, ZMQ_HEARTBEAT_IVL, &interval, sizeof interval), "HEARTBEAT_IVL");
		must(zmq_setsockopt(s, ZMQ_HEARTBEAT_TIMEOUT, &timeout, sizeof timeout), "HEARTBEAT_TIMEOUT");
	}
	secure(s, 1);
	must(zmq_bind(s, endpoint), "zmq_bind");
	must(zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, actual, &n), "LAST_ENDPOINT");
	printf("ready %s\n", actual);
	return s;
}
static void *connected(int type) {
	void *s = open_socket(type);
	secure(s, 0);
	must(zmq_connect(s, endpoint), "zmq_connect");
	return s;
}

static void make(zmq_msg_t *m, size_t n, const void *start, size_t k) {
	must(zmq_msg_init_size(m, n), "zmq_msg_init_size");
	memset(zmq_msg_data(m), 'x', n);
	memcpy(zmq_msg_data(m), start, k);
}
static void send_one(void *s, zmq_msg_t *body) {
	zmq_msg_t m;
	zmq_msg_init(&m);
	must(zmq_msg_copy(&m, body), "zmq_msg_copy");
	must(zmq_msg_send(&m, s, 0), "zmq_msg_send");
}
static size_t recv_one(void *s, zmq_msg_t *m) {
	must(zmq_msg_recv(m, s, 0), "zmq_msg_recv");
	return zmq_msg_size(m);
}

static int by_value(const void *a, const void *b) {
	long long x = *(const long long *)a, y = *(const long long *)b;
	return (x > y) - (x < y);
}
static double rank_us(const long long *v, double p) { // nearest rank
	long i = (long)(p * (double)count + 0.999999) - 1;
	return (double)v[i < 0 ? 0 : i] / 1e3;
}
static int told(int wait_ms) { // 1: a line or the end of the standard input has come
	struct pollfd p = {0, POLLIN, 0};
	char b[64];
	if (poll(&p, 1, wait_ms) <= 0) return 0;
	return read(0, b, sizeof b) >= 0;
}

// ---- one way: PUSH -> PULL

static void *push_thread(void *s) {
	zmq_msg_t body;
	make(&body, size, "", 0);
	for (long i = 0; i < (warm + count) / sockets; i++) send_one(s, &body);
	zmq_msg_close(&body);
	return NULL;
}
static void push(void) {
	pthread_t t[sockets];
	long long c = cpu();
	for (long i = 0; i < sockets; i++) pthread_create(&t[i], NULL, push_thread, connected(ZMQ_PUSH));
	for (long i = 0; i < sockets; i++) pthread_join(t[i], NULL);
	// Sockets stay open until the other side has everything: over ipc, a libzmq that is not reading just then, because it
	// has reached its high-water mark, takes the end of the connection for an error and drops what is left to read.
	while (!told(-1)) {}
	printf("result {\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n", cpu() - c, warm + count);
	exit(0);
}
static void pull_from(void *s) {
	zmq_msg_t m;
	zmq_msg_init(&m);
	for (long i = 0; i < warm; i++) recv_one(s, &m);
	long long t = now(), c = cpu();
	for (long i = 0; i < count; i++)
		if (recv_one(s, &m) != size) die("a message of the wrong size");
	t = now() - t, c = cpu() - c;
	printf("result {\"begin\":0,\"end\":%lld,\"received\":%ld,\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n", t, count, c, count);
}

// ---- a quiet stream beside a busy one, as in role_beside.go: what is a byte longer says when it was sent

static volatile int quiet_done;

static long long wall(void) {
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static void *busy_thread(void *s) {
	zmq_msg_t body;
	make(&body, size, "", 0);
	while (!quiet_done) send_one(s, &body);
	return NULL;
}
static void beside(void) {
	pthread_t t;
	long long c = cpu(), start = now(), due;
	void *busy = connected(ZMQ_PUSH), *quiet = connected(ZMQ_PUSH);
	pthread_create(&t, NULL, busy_thread, busy);
	for (long i = 0; i < warm + count; i++) {
		zmq_msg_t m;
		if ((due = start + i * 10000000LL - now()) > 0) usleep((useconds_t)(due / 1000));
		long long sent = wall();
		make(&m, size + 1, &sent, sizeof sent);
		must(zmq_msg_send(&m, quiet, 0), "zmq_msg_send");
	}
	quiet_done = 1;
	pthread_join(t, NULL);
	printf("result {\"cpu_ns\":%lld,\"cpu_msgs\":1}\n", cpu() - c);
	while (!told(-1)) {}
	exit(0);
}
static void *drain_thread(void *s) {
	zmq_msg_t m;
	zmq_msg_init(&m);
	for (;;) recv_one(s, &m);
	return NULL;
}
static void pull_beside(void *s) {
	long long *v = malloc((size_t)count * sizeof *v), sum = 0, c = cpu(), sent;
	long others = 0;
	pthread_t t;
	zmq_msg_t m;
	zmq_msg_init(&m);
	for (long n = -warm; n < count;) {
		if (recv_one(s, &m) == size) {
			others++;
			continue;
		}
		memcpy(&sent, zmq_msg_data(&m), sizeof sent);
		if (n >= 0) v[n] = wall() - sent, sum += v[n];
		n++;
	}
	if (others < 10 * count) die("the busy stream was not busy");
	c = cpu() - c;
	qsort(v, (size_t)count, sizeof *v, by_value);
	printf("result {\"mean_us\":%f,\"p50_us\":%f,\"p99_us\":%f,\"p999_us\":%f,\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n",
		(double)sum / 1e3 / (double)count, rank_us(v, .5), rank_us(v, .99), rank_us(v, .999), c, others + count);
	pthread_create(&t, NULL, drain_thread, s);
	while (!told(-1)) {}
	exit(0);
}

// ---- round trips: REQ -> REP

static void *rep_thread(void *s) {
	zmq_msg_t m;
	zmq_msg_init(&m);
	for (long i = 0; i < warm + count; i++) {
		recv_one(s, &m);
		must(zmq_msg_send(&m, s, 0), "zmq_msg_send");
		zmq_msg_init(&m);
	}
	zmq_close(s);
	return NULL;
}
static void rep(void) {
	void *s = bound(ZMQ_REP);
	long long c = cpu();
	rep_thread(s);
	zmq_ctx_term(ctx);
	printf("result {\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n", cpu() - c, warm + count);
}
static void req_to(void *s) {
	long long *v = malloc((size_t)count * sizeof *v), sum = 0, c = 0, start = now(), every = 0;
	zmq_msg_t m, body;
	zmq_msg_init(&m);
	make(&body, size, "", 0);
	memset(v, 0, (size_t)count * sizeof *v);
	for (long i = -warm; i < count; i++) {
		if (i == 0) {
			c = cpu();
			if (!strcmp(role, "reqhalf")) every = 2 * (now() - start) / warm;
			start = now();
		}
		long long t = now();
		if (every) { // half the rate of the warm-up, each counted from when it was due, as in pingHalf
			for (t = start + i * every; now() < t;)
				if (t - now() > 1000000) usleep(500);
		}
		send_one(s, &body);
		recv_one(s, &m);
		t = now() - t;
		if (i >= 0) v[i] = t, sum += t;
	}
	c = cpu() - c;
	qsort(v, (size_t)count, sizeof *v, by_value);
	printf("result {\"mean_us\":%f,\"p50_us\":%f,\"p99_us\":%f,\"p999_us\":%f,\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n",
		(double)sum / 1e3 / (double)count, rank_us(v, .5), rank_us(v, .99), rank_us(v, .999), c, count);
}

// ---- both sides in this process

static void inproc(int in, int out, void *(*other)(void *), void *other_binds, void (*measure)(void *)) {
	pthread_t t;
	void *s = open_socket(other_binds ? out : in), *o = open_socket(other_binds ? in : out);
	must(zmq_bind(other_binds ? o : s, endpoint), "zmq_bind");
	must(zmq_connect(other_binds ? s : o, endpoint), "zmq_connect");
	pthread_create(&t, NULL, other, o);
	measure(s);
	pthread_join(t, NULL);
}

// ---- PUB -> SUB: probes until all have joined, the messages, then end marks

static size_t topic(char *b, long i) { return (size_t)sprintf(b, "t%06ld.", i); }

static void pub(void) {
	void *s = bound(ZMQ_PUB);
	char mark[32];
	long last = subs ? subs - 1 : 0, n = subs < 1 ? 1 : subs < 1000 ? subs : 1000, step = subs / n;
	zmq_msg_t *bodies = calloc((size_t)n, sizeof *bodies), probe, end;
	for (long i = 0; i < n; i++) {
		char b[32];
		make(&bodies[i], size, b, topic(b, i * step));
	}
	size_t k = topic(mark, last);
	mark[k] = '?';
	make(&probe, k + 1, mark, k + 1);
	mark[k] = mark[k + 1] = '!';
	make(&end, k + 2, mark, k + 2);
	do send_one(s, &probe);
	while (!told(5));
	long long c = cpu();
	for (long i = 0, j = 0; i < warm + count; i++) {
		send_one(s, &bodies[j]);
		if (++j == n) j = 0;
	}
	printf("result {\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n", cpu() - c, warm + count);
	do send_one(s, &end);
	while (!told(10));
	exit(0); // nobody is left to linger for
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static long joined;
static long long first, final, received, cpu0;

static void *sub_thread(void *unused) {
	(void)unused;
	zmq_msg_t m;
	zmq_msg_init(&m);
	char b[32];
	long n = 0, seen = 0;
	long long t = 0;
	int none = 0;
	void *s = open_socket(ZMQ_SUB);
	must(zmq_setsockopt(s, ZMQ_SNDHWM, &none, sizeof none), "SNDHWM"); // or subscriptions beyond it are lost
	must(zmq_connect(s, endpoint), "zmq_connect");
	if (!subs) must(zmq_setsockopt(s, ZMQ_SUBSCRIBE, "", 0), "SUBSCRIBE");
	for (long i = 0; i < subs; i++) {
		size_t k = topic(b, i);
		must(zmq_setsockopt(s, ZMQ_SUBSCRIBE, b, k), "SUBSCRIBE");
	}
	size_t k = topic(b, 0);
	while (n < warm + count) {
		size_t got = recv_one(s, &m);
		if (got == k + 1) {
			if (seen++) continue;
			pthread_mutex_lock(&mu);
			if (++joined == sockets) printf("joined\n");
			pthread_mutex_unlock(&mu);
		} else if (got == k + 2) {
			break;
		} else if (++n == warm) {
			t = now();
			pthread_mutex_lock(&mu);
			if (!first || t < first) first = t;
			if (!cpu0) cpu0 = cpu();
			pthread_mutex_unlock(&mu);
		}
	}
	t = now();
	pthread_mutex_lock(&mu);
	if (t > final) final = t;
	if (n > warm) received += n - warm;
	pthread_mutex_unlock(&mu);
	return NULL;
}
static void sub(void) {
	pthread_t t[sockets];
	for (long i = 0; i < sockets; i++) pthread_create(&t[i], NULL, sub_thread, NULL);
	for (long i = 0; i < sockets; i++) pthread_join(t[i], NULL);
	printf("result {\"begin\":%lld,\"end\":%lld,\"received\":%lld,\"cpu_ns\":%lld,\"cpu_msgs\":%ld}\n",
		first, final, received, cpu() - cpu0, count);
	exit(0);
}

// ---- idle peers: memory before and with them, and the given number of seconds of nothing but PINGs

static void idle(void) {
	bound(ZMQ_PULL);
	long long m = memory();
	while (!told(-1)) {}
	m = memory() - m;
	long long t = now(), c = cpu();
	poll(NULL, 0, (int)count * 1000);
	t = now() - t, c = cpu() - c;
	printf("result {\"memory\":%lld,\"idle_cpu_ns\":%lld,\"idle_ns\":%lld}\n", m, c, t);
	exit(0);
}

int main(int argc, char **argv) {
	if (argc == 2 && !strcmp(argv[1], "version")) {
		int a, b, c;
		zmq_version(&a, &b, &c);
		printf("%d.%d.%d\n", a, b, c);
		return 0;
	}
	if (argc != 9) {
		fprintf(stderr, "usage: libzmq ROLE ENDPOINT SIZE COUNT WARM SOCKETS SUBS HWM\n");
		return 2;
	}
	role = argv[1], endpoint = argv[2], size = (size_t)atol(argv[3]), count = atol(argv[4]), warm = atol(argv[5]);
	sockets = atol(argv[6]), subs = atol(argv[7]), hwm = atol(argv[8]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	ctx = zmq_ctx_new();
	if (!strcmp(role, "push")) push();
	else if (!strcmp(role, "pull")) pull_from(bound(ZMQ_PULL));
	else if (!strcmp(role, "rep")) rep();
	else if (!strcmp(role, "req") || !strcmp(role, "reqhalf")) req_to(connected(ZMQ_REQ));
	else if (!strcmp(role, "beside")) beside();
	else if (!strcmp(role, "pullbeside")) pull_beside(bound(ZMQ_PULL));
	else if (!strcmp(role, "pub")) pub();
	else if (!strcmp(role, "sub")) sub();
	else if (!strcmp(role, "idle")) idle();
	else if (!strcmp(role, "oneway")) inproc(ZMQ_PULL, ZMQ_PUSH, push_thread, NULL, pull_from);
	else if (!strcmp(role, "roundtrip")) inproc(ZMQ_REP, ZMQ_REQ, rep_thread, ctx, req_to);
	else {
		fprintf(stderr, "libzmq: no role %s\n", role);
		return 2;
	}
	return 0;
}
