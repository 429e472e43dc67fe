/* Preloaded into every process of a recorded tree: tells the recorder what only the process itself can.
 *
 * It hands over a userfaultfd of its own when an image starts, and says when it forks, executes and exits; the kernel
 * tells the recorder the rest through that descriptor. Nothing is kept open, so a program that closes or
 * renumbers descriptors does no harm. When the recorder is gone the library falls silent for ever.
 *
 * A message is one datagram to the recorder's abstract socket (COWBENCH_RECORD is "socket:token"); a message that
 * waits carries the end of a pipe, and the recorder answers by closing it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TOKEN 32
#define USER_MODE_ONLY 1 /* UFFD_USER_MODE_ONLY: what users without rights may open; enough, as tracking never blocks */
#define PATIENCE 500     /* ms between two looks whether the recorder is still there */

enum kind { HELLO = 1, FORKING, CHILD, EXEC, EXIT, ADVICE, PROTECT, ASK, LOOK, PIN, UNPIN, SPLICE, DIRECT, DIRECT_END };

struct message {
	char token[TOKEN];
	uint32_t kind, number;
	uint64_t a, b, c, waited; /* waited: ns that this process waited for answers so far */
};

static struct sockaddr_un recorder;
static socklen_t recorder_length;
static char token[TOKEN];
static volatile int silent = 1;
static uint32_t forks; /* also the number of the fork that made this process */
static pid_t self;     /* a child of vfork runs in its parent's memory: another pid, the same `self` */
static int ended;
static uint64_t waited;

enum transfer { READ, PREAD, PREAD64, WRITE, PWRITE, PWRITE64, TRANSFERS };

/* The C library's own, which also are where a thread may be cancelled; NULL before this library begins. */
static ssize_t (*transfers[TRANSFERS])(int, void *, size_t, off_t);

static void find_transfers(void)
{
	static const char *const names[] = {"read", "pread", "pread64", "write", "pwrite", "pwrite64"};
	for (int i = 0; i < TRANSFERS; i++)
		transfers[i] = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, names[i]);
}

/* This library's own system calls: syscall() is one of the functions that it replaces. */
static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long fourth __asm__("r10") = d, fifth __asm__("r8") = e, sixth __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");
	if (result < 0 && result > -4096) {
		errno = -result;
		return -1;
	}
	return result;
}

static int post(const struct message *message, const int *passed, int count)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec part = {(void *)message, sizeof *message};
	struct msghdr head = {.msg_name = &recorder, .msg_namelen = recorder_length, .msg_iov = &part, .msg_iovlen = 1};
	if (count) {
		head.msg_control = control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&head);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), passed, count * sizeof(int));
	}
	int line = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (line < 0)
		return -1;
	ssize_t sent;
	do
		sent = sendmsg(line, &head, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == ECONNREFUSED || errno == ENOENT))
		silent = 1;
	close(line);
	return sent < 0 ? -1 : 0;
}

static uint64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Wait until the recorder closes the other end, or is no more. */
static void await_answer(int end)
{
	struct message ask = {.kind = ASK};
	struct pollfd look = {.fd = end};
	memcpy(ask.token, token, TOKEN);
	while (!silent && poll(&look, 1, PATIENCE) <= 0)
		post(&ask, NULL, 0);
}

/* Send a message; with `wait`, return after the recorder has dealt with it. `fd`: a descriptor to hand over, or -1. */
static void tell(enum kind kind, uint32_t number, uint64_t a, uint64_t b, uint64_t c, int fd, int wait)
{
	struct message message = {.kind = kind, .number = number, .a = a, .b = b, .c = c, .waited = waited};
	uint64_t start = wait ? clock_ns() : 0;
	int saved = errno, ends[2], passed[2] = {-1, -1}, count = 0;
	if (silent)
		return;
	memcpy(message.token, token, TOKEN);
	if (wait && pipe2(ends, O_CLOEXEC)) {
		errno = saved;
		return;
	}
	if (wait)
		passed[count++] = ends[1];
	if (fd >= 0)
		passed[count++] = fd;
	int failed = post(&message, passed, count);
	if (wait) {
		close(ends[1]);
		if (!failed)
			await_answer(ends[0]);
		close(ends[0]);
		__atomic_fetch_add(&waited, clock_ns() - start, __ATOMIC_RELAXED);
	}
	errno = saved;
}

static void before_fork(void)
{
	tell(FORKING, ++forks, 0, 0, 0, -1, 1);
}

static void in_child(void)
{
	pid_t parent = self; /* getppid() says otherwise once that one has ended */
	self = getpid();
	ended = 0;
	waited = 0;
	tell(CHILD, forks, (uint64_t)parent, 0, 0, -1, 0);
}

static int find_recorder(void)
{
	const char *place = getenv("COWBENCH_RECORD"), *colon = place ? strchr(place, ':') : NULL;
	size_t length = colon ? (size_t)(colon - place) : 0;
	if (!length || length + 1 >= sizeof recorder.sun_path || strlen(colon + 1) != TOKEN)
		return 0;
	recorder.sun_family = AF_UNIX;
	memcpy(recorder.sun_path + 1, place, length);
	recorder_length = offsetof(struct sockaddr_un, sun_path) + 1 + length;
	memcpy(token, colon + 1, TOKEN);
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	if (!find_recorder())
		return;
	find_transfers();
	silent = 0;
	self = getpid();
	int tracker = call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0, 0);
	if (tracker < 0 && errno == EPERM)
		tracker = call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY, 0, 0, 0, 0, 0);
	int why = tracker < 0 ? errno : 0;
	pthread_atfork(before_fork, NULL, in_child);
	tell(HELLO, why, 0, 0, 0, tracker, 1);
	if (tracker >= 0)
		close(tracker);
}

/* The last look at this memory. */
__attribute__((destructor)) static void end(void)
{
	if (getpid() != self || !ended++)
		tell(EXIT, 0, 0, 0, 0, -1, 1);
}

void _exit(int status)
{
	end();
	for (;;)
		call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

void _Exit(int status)
{
	_exit(status);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define BEFORE_EXEC() tell(EXEC, 0, 0, 0, 0, -1, 1)
#define EXECUTES(name, parameters, arguments) \
	int name parameters                   \
	{                                     \
		BEFORE_EXEC();                \
		return REAL(name) arguments;  \
	}

extern char **environ;

EXECUTES(execve, (const char *path, char *const *words, char *const *settings), (path, words, settings))
EXECUTES(execv, (const char *path, char *const *words), (path, words))
EXECUTES(execvp, (const char *file, char *const *words), (file, words))
EXECUTES(execvpe, (const char *file, char *const *words, char *const *settings), (file, words, settings))
EXECUTES(fexecve, (int file, char *const *words, char *const *settings), (file, words, settings))
EXECUTES(execveat, (int folder, const char *path, char *const *words, char *const *settings, int flags),
	 (folder, path, words, settings, flags))

/* The words of execl and its like, as an array on the caller's stack; `after` is what follows the closing NULL. */
#define COLLECT(first)                                        \
	va_list list;                                         \
	size_t count = 1;                                     \
	va_start(list, first);                                \
	while (va_arg(list, const char *))                    \
		count++;                                      \
	va_end(list);                                         \
	char *words[count + 1];                               \
	va_start(list, first);                                \
	words[0] = (char *)first;                             \
	for (size_t i = 1; i <= count; i++)                   \
		words[i] = va_arg(list, char *);

int execl(const char *path, const char *first, ...)
{
	COLLECT(first);
	va_end(list);
	return execve(path, words, environ);
}

int execlp(const char *file, const char *first, ...)
{
	COLLECT(first);
	va_end(list);
	return execvp(file, words);
}

int execle(const char *path, const char *first, ...)
{
	COLLECT(first);
	char **settings = va_arg(list, char **);
	va_end(list);
	return execve(path, words, settings);
}

/* Memory. The kernel tells of these as well, but only when the pages, and what was written to them last, are gone.
 *
 * No dlsym here: it may allocate, and allocators call these with their locks held. */

int munmap(void *start, size_t length)
{
	tell(LOOK, 0, (uint64_t)start, length, 0, -1, 1);
	return call(SYS_munmap, (long)start, length, 0, 0, 0, 0);
}

void *mmap(void *start, size_t length, int protection, int flags, int file, off_t offset)
{
	if ((flags & MAP_FIXED) == MAP_FIXED)
		tell(LOOK, 0, (uint64_t)start, length, 0, -1, 1);
	return (void *)call(SYS_mmap, (long)start, length, protection, flags, file, offset);
}

void *mmap64(void *start, size_t length, int protection, int flags, int file, off_t offset)
{
	return mmap(start, length, protection, flags, file, offset);
}

int madvise(void *start, size_t length, int advice)
{
	if (advice == MADV_FREE || advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_PAGEOUT)
		tell(ADVICE, 0, (uint64_t)start, length, advice, -1, 0);
	return call(SYS_madvise, (long)start, length, advice, 0, 0, 0);
}

int mprotect(void *start, size_t length, int protection)
{
	tell(PROTECT, 0, (uint64_t)start, length, protection, -1, 0);
	return call(SYS_mprotect, (long)start, length, protection, 0, 0, 0);
}

/* References of devices. What is written before one is taken is looked at first; pages that taking it touches are
 * then not taken for written. */

#define REGISTER_BUFFERS 0
#define UNREGISTER_BUFFERS 1
#define REGISTER_BUFFERS2 15
#define DIRECT_GRAIN 512

/* The argument of IORING_REGISTER_BUFFERS2. */
struct buffers {
	uint32_t count, flags;
	uint64_t reserved, vectors, tags;
};

static void each(enum kind kind, const struct iovec *vectors, size_t count, uint64_t most, uint64_t key, int wait)
{
	for (size_t i = 0; i < count && most; i++) {
		uint64_t length = vectors[i].iov_len < most ? vectors[i].iov_len : most;
		if (vectors[i].iov_base && length)
			tell(kind, 0, (uint64_t)vectors[i].iov_base, length, key, -1, wait);
		most -= length;
	}
}

/* io_uring_register(2) of buffers: pinned for as long as they are registered. */
static long register_buffers(long ring, long operation, long argument, long count, long e, long f)
{
	const struct iovec *vectors = (const struct iovec *)argument;
	size_t buffers = count;
	if (operation == REGISTER_BUFFERS2) {
		vectors = (const struct iovec *)((struct buffers *)argument)->vectors;
		buffers = vectors ? ((struct buffers *)argument)->count : 0;
	}
	if (operation == UNREGISTER_BUFFERS)
		tell(UNPIN, 0, 0, 0, ring, -1, 1);
	else
		each(LOOK, vectors, buffers, UINT64_MAX, ring, 1);
	long result = call(SYS_io_uring_register, ring, operation, argument, count, e, f);
	if (result >= 0 && operation != UNREGISTER_BUFFERS)
		each(PIN, vectors, buffers, UINT64_MAX, ring, 1);
	return result;
}

long syscall(long number, ...)
{
	long a[6];
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_io_uring_register &&
	    (a[1] == REGISTER_BUFFERS || a[1] == UNREGISTER_BUFFERS || a[1] == REGISTER_BUFFERS2))
		return register_buffers(a[0], a[1], a[2], a[3], a[4], a[5]);
	return call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* liburing makes its system calls itself; the ring's address is as good a key as its descriptor. */
struct io_uring;

int io_uring_register_buffers(struct io_uring *ring, const struct iovec *vectors, unsigned count)
{
	each(LOOK, vectors, count, UINT64_MAX, 0, 1);
	int result = REAL(io_uring_register_buffers)(ring, vectors, count);
	if (result >= 0)
		each(PIN, vectors, count, UINT64_MAX, (uint64_t)ring, 1);
	return result;
}

int io_uring_unregister_buffers(struct io_uring *ring)
{
	tell(UNPIN, 0, 0, 0, (uint64_t)ring, -1, 1);
	return REAL(io_uring_unregister_buffers)(ring);
}

void io_uring_queue_exit(struct io_uring *ring)
{
	tell(UNPIN, 0, 0, 0, (uint64_t)ring, -1, 1);
	REAL(io_uring_queue_exit)(ring);
}

ssize_t vmsplice(int pipe, const struct iovec *vectors, size_t count, unsigned flags)
{
	each(LOOK, vectors, count, UINT64_MAX, 0, 1);
	ssize_t done = call(SYS_vmsplice, pipe, (long)vectors, count, flags, 0, 0);
	if (done > 0)
		each(SPLICE, vectors, count, done, pipe, 1);
	return done;
}

/* Reading and writing past the page cache: only whole blocks at whole addresses can be. */
static int is_direct(int file, const void *start, size_t length)
{
	if (silent || !length || ((uintptr_t)start | length) % DIRECT_GRAIN)
		return 0;
	int saved = errno;
	long flags = call(SYS_fcntl, file, F_GETFL, 0, 0, 0, 0);
	errno = saved;
	return flags > 0 && flags & O_DIRECT;
}

static ssize_t transfer(enum transfer which, int file, void *start, size_t length, off_t offset)
{
	static const long numbers[] = {SYS_read, SYS_pread64, SYS_pread64, SYS_write, SYS_pwrite64, SYS_pwrite64};
	int direct = is_direct(file, start, length), into_memory = which < WRITE;
	if (direct)
		tell(DIRECT, into_memory, (uint64_t)start, length, (uint64_t)pthread_self(), -1, 0);
	ssize_t done = transfers[which] ? transfers[which](file, start, length, offset)
					: call(numbers[which], file, (long)start, length, offset, 0, 0);
	if (direct)
		tell(DIRECT_END, into_memory, done > 0, 0, (uint64_t)pthread_self(), -1, 0);
	return done;
}

ssize_t read(int file, void *start, size_t length)
{
	return transfer(READ, file, start, length, 0);
}

ssize_t pread(int file, void *start, size_t length, off_t offset)
{
	return transfer(PREAD, file, start, length, offset);
}

ssize_t pread64(int file, void *start, size_t length, off_t offset)
{
	return transfer(PREAD64, file, start, length, offset);
}

ssize_t write(int file, const void *start, size_t length)
{
	return transfer(WRITE, file, (void *)start, length, 0);
}

ssize_t pwrite(int file, const void *start, size_t length, off_t offset)
{
	return transfer(PWRITE, file, (void *)start, length, offset);
}

ssize_t pwrite64(int file, const void *start, size_t length, off_t offset)
{
	return transfer(PWRITE64, file, (void *)start, length, offset);
}
