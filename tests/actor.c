/* A program whose writes are known: it does what its words say, on an area of 4096 pages at a fixed address.
 *
 *   w:FIRST:STOP[:STEP]  write pages            d:FIRST:STOP  MADV_DONTNEED       u:FIRST:STOP  munmap
 *   m:FIRST:STOP         map anew               s:MS          sleep               f ... e       a child does ...
 *   c ... e              the same by clone(2)   j             wait for a child    k             be killed
 *   x                    execute itself         r:FIRST:STOP  read pages          h             hand its pid out
 *   p:FIRST:STOP         pin for io_uring       q             let go of that      v:FIRST:STOP  vmsplice into a pipe
 *   b                    empty the pipe         o:FIRST:STOP  write with O_DIRECT i:FIRST:STOP  and read
 *   z:FIRST:STOP         MADV_DONTFORK          t:FIRST:STOP  mprotect to read-only and back    l:FIRST:STOP  MADV_FREE */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define PAGES 4096L
static char *const area = (char *)0x10000000000;

static void map(long first, long stop)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	if (mmap(area + first * PAGE, (stop - first) * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		exit(90);
}

static void touch(char kind, long first, long stop, long step)
{
	for (long page = first; page < stop; page += step)
		if (kind == 'w')
			area[page * PAGE] += 1;
		else
			(void)*(volatile char *)(area + page * PAGE);
}

static int ring = -1, ends[2] = {-1, -1}, file = -1;

static void empty(int end)
{
	char rest[4096];
	fcntl(end, F_SETFL, O_NONBLOCK);
	while (read(end, rest, sizeof rest) > 0)
		;
}

/* References of the kernel to pages. */
static void hold(char kind, struct iovec part)
{
	struct io_uring_params settings = {0};
	if (ring < 0)
		ring = syscall(SYS_io_uring_setup, 4, &settings);
	if (ends[0] < 0 && pipe(ends))
		exit(91);
	if (file < 0)
		file = open(getenv("ACTOR_FILE"), O_RDWR | O_CREAT | O_DIRECT, 0600);
	long done = 0;
	if (kind == 'p')
		done = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &part, 1);
	else if (kind == 'q')
		done = syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	else if (kind == 'v')
		done = vmsplice(ends[1], &part, 1, 0);
	else if (kind == 'b')
		empty(ends[0]);
	else
		done = kind == 'o' ? pwrite(file, part.iov_base, part.iov_len, 0) : pread(file, part.iov_base, part.iov_len, 0);
	if (done < 0)
		exit(92);
}

/* Words of a child end at its `e`. */
static char **skip(char **word)
{
	for (int depth = 1; depth; word++)
		depth += (**word == 'f' || **word == 'c') - (**word == 'e');
	return word;
}

int main(int count, char **words)
{
	(void)count;
	map(0, PAGES);
	for (char **word = words + 1; *word; word++) {
		long first = 0, stop = 0, step = 1;
		char kind = **word;
		sscanf(*word + 1, ":%ld:%ld:%ld", &first, &stop, &step);
		if (kind == 'w' || kind == 'r')
			touch(kind, first, stop, step);
		else if (kind == 'd')
			madvise(area + first * PAGE, (stop - first) * PAGE, MADV_DONTNEED);
		else if (kind == 'u')
			munmap(area + first * PAGE, (stop - first) * PAGE);
		else if (kind == 'm')
			map(first, stop);
		else if (strchr("pqvboi", kind))
			hold(kind, (struct iovec){area + first * PAGE, (stop - first) * PAGE});
		else if (kind == 'z' || kind == 'l')
			madvise(area + first * PAGE, (stop - first) * PAGE, kind == 'z' ? MADV_DONTFORK : MADV_FREE);
		else if (kind == 't') {
			mprotect(area + first * PAGE, (stop - first) * PAGE, PROT_READ);
			mprotect(area + first * PAGE, (stop - first) * PAGE, PROT_READ | PROT_WRITE);
		} else if (kind == 's')
			usleep(first * 1000);
		else if (kind == 'j')
			wait(NULL);
		else if (kind == 'e')
			_exit(0);
		else if (kind == 'k')
			kill(getpid(), SIGKILL);
		else if (kind == 'x')
			execv("/proc/self/exe", (word[0] = words[0], word));
		else if (kind == 'h')
			printf("%d\n", getpid()), fflush(stdout);
		else if (kind == 'f' || kind == 'c') {
			pid_t child = kind == 'f' ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
			if (child)
				word = skip(word + 1) - 1;
		}
	}
	return 3;
}
