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
#include <sys/un.h>
#include <unistd.h>

#define TOKEN 32
#define USER_MODE_ONLY 1 /* UFFD_USER_MODE_ONLY: what users without rights may open; enough, as tracking never blocks */
#define PATIENCE 500     /* ms between two looks whether the recorder is still there */

enum kind { HELLO = 1, FORKING, CHILD, EXEC, EXIT, ADVICE, PROTECT, ASK };

struct message {
	char token[TOKEN];
	uint32_t kind, number;
	uint64_t a, b, c;
};

static struct sockaddr_un recorder;
static socklen_t recorder_length;
static char token[TOKEN];
static volatile int silent = 1;
static uint32_t forks; /* also the number of the fork that made this process */
static pid_t self;     /* a child of vfork runs in its parent's memory: another pid, the same `self` */
static int ended;

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
	struct message message = {.kind = kind, .number = number, .a = a, .b = b, .c = c};
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
	}
	errno = saved;
}

static void before_fork(void)
{
	tell(FORKING, ++forks, 0, 0, 0, -1, 1);
}

static void in_child(void)
{
	tell(CHILD, forks, (uint64_t)getppid(), 0, 0, -1, 0);
	self = getpid();
	ended = 0;
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
	silent = 0;
	self = getpid();
	int tracker = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (tracker < 0 && errno == EPERM)
		tracker = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
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
		syscall(SYS_exit_group, status);
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

int madvise(void *start, size_t length, int advice)
{
	int result = REAL(madvise)(start, length, advice);
	if (!result && (advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_PAGEOUT))
		tell(ADVICE, 0, (uint64_t)start, length, advice, -1, 0);
	return result;
}

int mprotect(void *start, size_t length, int protection)
{
	int result = REAL(mprotect)(start, length, protection);
	if (!result)
		tell(PROTECT, 0, (uint64_t)start, length, protection, -1, 0);
	return result;
}
