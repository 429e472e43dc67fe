/* The agent: carries out programs of memory operations on the Linux it runs on, and tells what became of them.
 *
 * It is one static program without a library: a child process of cowbench that talks over stdin and stdout, or
 * /init of a guest that talks over /dev/ttyS0. x86-64, kernels 5.10 and later.
 *
 * Protocol (both directions; cowbench/linux/wire.py is the other end):
 *   frame   = magic 01 'c' 'o' 'w', length of the payload (u32 LE), Adler-32 of the payload (u32 LE), payload.
 *             Bytes between frames are the kernel's console and belong to nobody.
 *   payload = kind (one byte), then numbers as LEB128 varints; a string is its length and its bytes.
 *   at the start, unasked:               'H' protocol cpus uid guard frames swap release(string)
 *   'P' count program*                -> for each program, in order, 'O' (what was seen) or 'E' text (it could not be
 *                                        carried out)
 *   'Q'                               -> the agent ends; as /init it powers the machine off
 *   program = guard pages cpus(mask) slots references tokens(at most, of one operation) reply(bytes at most)
 *             operations bytes(of the operations) operation*
 *   operation = code, then its fields in the order that wire.py gives them
 *   pages   = runs (first count times)*   a run that is named again and again is sent once
 *   'O'     = steps step*
 *   step    = failed(errno) ns tokens token* (process+1 changes (page distance)(place))* 0
 *   place   = 0 absent, 1 swapped, 2 zero page, 3 + zigzag(frame - frame named before in this step)
 *
 * How the program under test is kept apart from the agent. What counts is which frames the test's processes map, and
 * a frame's references; fresh anonymous pages wait in a batch of their CPU and hold a reference there. So the agent
 * makes none while a program runs: no heap, no static data that is written, stacks and all state in shared memory
 * touched beforehand. Test processes share one table of descriptors (CLONE_FILES), so that pipes and rings opened for
 * a reference outlive the process that gave the pages. With `guard`, everything runs under SCHED_FIFO, and on each CPU
 * a keeper spins whenever no test process does, so that nobody else's faults enter its batch.
 */
#include <stddef.h>
#include <stdint.h>

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/uio.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

/* Constants that old headers lack or that only a library's headers have. */
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FIXED_NOREPLACE 0x100000
#define MADV_DONTNEED 4
#define MADV_DONTFORK 10
#define MADV_NOHUGEPAGE 15
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_NOCTTY 0400
#define O_NONBLOCK 04000
#define O_CLOEXEC 02000000
#define F_SETPIPE_SZ 1031
#define SIGCHLD 17
#define RLIMIT_NOFILE 7
#define SIGKILL 9
#define ENOENT 2
#define EINTR 4
#define EAGAIN 11
#define ENOMEM 12
#define ETIMEDOUT 110
#define POLLHUP 0x10
#define POLLERR 0x8
#define CLOCK_MONOTONIC 1
#define AT_FDCWD -100
#define IORING_OFF_SQES 0x10000000ULL
#define IORING_REGISTER_BUFFERS 0
#define IORING_UNREGISTER_BUFFERS 1
#define IORING_ENTER_GETEVENTS 1
#define IORING_OP_READ_FIXED 4
#define IORING_OP_WRITE_FIXED 5
#define REBOOT_MAGIC1 0xfee1dead
#define REBOOT_MAGIC2 672274793
#define REBOOT_POWER_OFF 0x4321fedc

enum { PROTOCOL = 2, PAGE = 4096, MAX_CPUS = 8, MAX_SLOTS = 4096, MAX_REFERENCES = 4096, STACK = 16384 };
enum { MAX_BUFFERS = 1024, PIPE_ROOM = 256 /* what everybody may have */, MAX_PIPES = 16, PATIENCE_S = 20, TURN_NS = 20000000, DROP_TRIES = 4 };
/* /proc/kpageflags */
enum { WRITEBACK = 1 << 8, ANONYMOUS = 1 << 12, SWAP_CACHE = 1 << 13 };

/* Fixed places, so that nothing has to be kept in variables that fork would copy. */
#define CONTROL ((struct control *)0x100000000000)
#define STACKS ((u8 *)0x110000000000)
#define REQUEST ((u8 *)0x120000000000)
#define REPLY ((u8 *)0x130000000000)
#define TOKENS ((u64 *)0x140000000000)
#define PLACES ((i64 *)0x150000000000)
#define PAGEMAP ((u64 *)0x160000000000)
#define VECTORS ((struct iovec *)0x170000000000)
#define SCRATCH ((u8 *)0x190000000000)
#define NOWHERE ((u8 *)0x180000000000) /* never touched */
#define ARENA ((u8 *)0x200000000000)
#define ROOM (1ULL << 34)

enum { ABSENT = -1, SWAPPED = -2, ZERO_PAGE = -3 };

enum code {
  SPAWN = 1, WRITE, READ, FORK, EXEC, EXIT, PROTECT, DONTFORK, DISCARD, PAGE_OUT,
  PIN, GET, RELEASE, DEVICE_WRITE, DEVICE_READ, MOVE, DRAIN,
  TOUCH /* the agent's own: load pages and tell nothing */
};

/* io_uring, as far as it is used here: the kernel's structures, whatever the headers know. */
struct ring_offsets { u32 head, tail, mask, entries, flags, dropped, array, more; u64 user; };
struct cq_offsets { u32 head, tail, mask, entries, overflow, cqes, flags, more; u64 user; };
struct ring_parameters {
  u32 sq_entries, cq_entries, flags, cpu, idle, features, wq, reserved[3];
  struct ring_offsets sq;
  struct cq_offsets cq;
};
struct submission {
  u8 opcode, flags; uint16_t priority; u32 fd; u64 offset, address; u32 length, rw_flags; u64 user;
  uint16_t buffer, personality; u32 splice; u64 reserved[2];
};
struct completion { u64 user; int32_t result; u32 flags; };

enum kind { NO_REFERENCE = 0, PINNED, GOT };
struct reference;

/* A process under test. `go` and `done` count its orders; the process sleeps on `go`. */
struct slot {
  u32 go, done, cpu, ready, alive, handle, holes, holes_ahead, tracked, pinned;
  int pid, pagemap;
  u32 code, flag, child;
  const u8 *pages;
  struct reference *reference;
  u64 token, ns, tokens;
  i64 result;
};

struct reference {
  enum kind kind;
  int ends[2 * MAX_PIPES]; /* GOT: pipes, of PIPE_ROOM pages each. PINNED: the ring */
  const u8 *pages;
  u64 count;
  u8 *rings, *submissions;
  u64 ring_size;
  struct ring_parameters parameters;
};

struct keeper { u32 bell, order, served, hold; int pid; };

struct control {
  u32 events; /* futex: somebody has finished something */
  u32 cpus, numbers[MAX_CPUS], init, guard, may_guard, uid;
  int in, out, kpageflags, main_pid;
  u64 zero_frame, touched[8];
  u64 pages, slots, references, used_slots, used_references, processes;
  u32 used_cpus;
  u32 slot_of[MAX_SLOTS];
  struct slot slot[MAX_SLOTS];
  struct reference reference[MAX_REFERENCES];
  struct keeper keeper[MAX_CPUS];
  u64 length;   /* of the reply so far */
  char wrong[256]; /* why the program cannot be carried out, or "" */
  int device[2];
};

/* ---- system calls ---- */

static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#define sys(n, a, b, c) sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys4(n, a, b, c, d) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

void *memset(void *to, int byte, size_t n) {
  u8 *p = to;
  while (n--) *p++ = (u8)byte;
  return to;
}
void *memcpy(void *to, const void *from, size_t n) {
  u8 *p = to;
  const u8 *q = from;
  while (n--) *p++ = *q++;
  return to;
}
static size_t length(const char *text) {
  size_t n = 0;
  while (text[n]) n++;
  return n;
}

static u64 now(void) {
  struct { i64 s, ns; } t;
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, &t, 0);
  return (u64)t.s * 1000000000ULL + (u64)t.ns;
}
static void rest(u64 ns) {
  struct { i64 s, ns; } t = {(i64)(ns / 1000000000ULL), (i64)(ns % 1000000000ULL)};
  sys(__NR_nanosleep, &t, 0, 0);
}
static u32 load(const u32 *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static void store(u32 *word, u32 value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

static void sleep_on(u32 *word, u32 value, u64 seconds) {
  struct { i64 s, ns; } t = {(i64)seconds, 0};
  sys6(__NR_futex, (long)word, FUTEX_WAIT, value, seconds ? (long)&t : 0, 0, 0);
}
static void wake(u32 *word) { sys(__NR_futex, word, FUTEX_WAKE, 1 << 30); }
static void ring_bell(u32 *word) {
  __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
  wake(word);
}

static void run_on(int pid, u32 cpu) {
  u64 mask[16] = {0};
  mask[cpu / 64] = 1ULL << cpu % 64;
  sys(__NR_sched_setaffinity, pid, sizeof mask, mask);
}
static long schedule(int pid, int policy, int priority) {
  return sys(__NR_sched_setscheduler, pid, policy, &priority);
}

/* A new task on a stack of its own: the stacks are shared memory, so a fork must not go on with its parent's. */
static long start(u64 flags, void *top, void (*entry)(long), long argument) {
  long result;
  register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0, r12 __asm__("r12") = argument;
  register void (*r13)(long) __asm__("r13") = entry;
  __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%ebp, %%ebp\n\tmov %%r12, %%rdi\n\tcall *%%r13\n\tud2\n1:"
                   : "=a"(result)
                   : "0"((long)__NR_clone), "D"(flags), "S"(top), "d"(0), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
                   : "rcx", "r11", "memory");
  return result;
}
/* Stack 0 is the controller's, then those of the keepers and of the processes under test. */
static void *stack_of(u64 index) { return STACKS + (index + 1) * STACK; }
static void *stack_of_slot(u64 slot) { return stack_of(1 + MAX_CPUS + slot); }

/* ---- what cannot go on ---- */

static void wrong(const char *what, long error) {
  char *to = CONTROL->wrong;
  if (*to) return;
  size_t n = 0;
  for (; what[n] && n < 200; n++) to[n] = what[n];
  if (error < 0) {
    long e = -error;
    const char *word = ": errno ";
    while (*word) to[n++] = *word++;
    char digits[8];
    int d = 0;
    do digits[d++] = (char)('0' + e % 10); while (e /= 10);
    while (d) to[n++] = digits[--d];
  }
  to[n] = 0;
}

/* ---- numbers in and out ---- */

static u64 number(const u8 **at) {
  u64 value = 0;
  for (int shift = 0;; shift += 7) {
    u8 byte = *(*at)++;
    value |= (u64)(byte & 127) << shift;
    if (byte < 128) return value;
  }
}
static void put(u64 value) {
  for (; value > 127; value >>= 7) REPLY[CONTROL->length++] = (u8)(value | 128);
  REPLY[CONTROL->length++] = (u8)value;
}
static void put_text(const char *text) {
  size_t n = length(text);
  put(n);
  memcpy(REPLY + CONTROL->length, text, n);
  CONTROL->length += n;
}
static void begin(char kind) {
  CONTROL->length = 12;
  REPLY[CONTROL->length++] = (u8)kind;
}
static u32 adler(const u8 *bytes, u64 n) {
  u32 a = 1, b = 0;
  for (u64 i = 0; i < n; i++) {
    a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}
static void leave(int status) {
  if (CONTROL->init) sys4(__NR_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, 0);
  for (;;) sys(__NR_exit_group, status, 0, 0);
}
static void send(void) {
  u64 n = CONTROL->length;
  u32 head[3] = {0x776f6301, (u32)(n - 12), adler(REPLY + 12, n - 12)};
  memcpy(REPLY, head, 12);
  for (u64 done = 0; done < n;) {
    long sent = sys(__NR_write, CONTROL->out, REPLY + done, n - done);
    if (sent < 0 && sent != -EINTR && sent != -EAGAIN) leave(1);
    if (sent > 0) done += (u64)sent;
  }
}
static void receive_bytes(u8 *to, u64 n) {
  while (n) {
    long got = sys(__NR_read, CONTROL->in, to, n);
    if (got == 0 || (got < 0 && got != -EINTR && got != -EAGAIN)) leave(0);
    if (got > 0) to += got, n -= (u64)got;
  }
}
/* Read the next frame whose sum is right. */
static u64 receive(void) {
  static const u8 magic[4] = {1, 'c', 'o', 'w'};
  for (;;) {
    u8 byte;
    for (int matched = 0; matched < 4;) {
      receive_bytes(&byte, 1);
      matched = byte == magic[matched] ? matched + 1 : byte == magic[0];
    }
    u32 head[2];
    receive_bytes((u8 *)head, 8);
    receive_bytes(REQUEST, head[0]);
    if (adler(REQUEST, head[0]) == head[1]) return head[0];
  }
}

/* ---- pages of an operation ---- */

struct walk { const u8 *at; u64 runs, first, count, times; };
static struct walk walk(const u8 *pages) {
  struct walk w = {pages, 0, 0, 0, 0};
  w.runs = number(&w.at);
  return w;
}
static int next_run(struct walk *w) {
  if (!w->times) {
    if (!w->runs) return 0;
    w->runs--;
    w->first = number(&w->at);
    w->count = number(&w->at);
    w->times = number(&w->at);
  }
  w->times--;
  return 1;
}
static const u8 *skip_pages(const u8 *at) {
  struct walk w = walk(at);
  while (next_run(&w)) ;
  return w.at;
}
static u64 count_pages(const u8 *pages) {
  struct walk w = walk(pages);
  u64 n = 0;
  while (next_run(&w)) n += w.count;
  return n;
}
static u8 *address(u64 page) { return ARENA + page * PAGE; }

/* ---- the process under test ---- */

static i64 for_runs(const u8 *pages, long call, long extra) {
  struct walk w = walk(pages);
  while (next_run(&w)) {
    long error = sys(call, address(w.first), w.count * PAGE, extra);
    if (error) return error;
  }
  return 0;
}
static i64 protect_runs(const u8 *pages) {
  i64 error = for_runs(pages, __NR_mprotect, PROT_READ);
  return error ? error : for_runs(pages, __NR_mprotect, PROT_READ | PROT_WRITE);
}
static void write_pages(struct slot *me) {
  struct walk w = walk(me->pages);
  while (next_run(&w))
    for (u64 i = 0; i < w.count; i++) *(volatile u64 *)address(w.first + i) = me->token;
}
static void read_pages(struct slot *me) {
  struct walk w = walk(me->pages);
  u64 n = 0;
  while (next_run(&w))
    for (u64 i = 0; i < w.count; i++) TOKENS[n++] = *(volatile u64 *)address(w.first + i);
  me->tokens = n;
}
/* Take beforehand, in order, the faults that taking references would take: then GUP finds everything in place and
 * never comes to its slow path, which marks pages accessed and, the second time, holds them for activation. */
static void fault_in(const u8 *pages, int write) {
  struct walk w = walk(pages);
  while (next_run(&w))
    for (u64 i = 0; i < w.count; i++) {
      volatile u64 *word = (volatile u64 *)address(w.first + i);
      if (write) __asm__ volatile("lock addq $0, %0" : "+m"(*word));
      else (void)*word;
    }
}
static i64 pin_pages(struct slot *me) {
  struct walk w = walk(me->pages);
  u64 n = 0;
  fault_in(me->pages, 1);
  while (next_run(&w)) {
    if (n == MAX_BUFFERS) return -ENOMEM;
    VECTORS[n].iov_base = address(w.first);
    VECTORS[n++].iov_len = w.count * PAGE;
  }
  if (!n) return 0;
  return sys4(__NR_io_uring_register, me->reference->ends[0], IORING_REGISTER_BUFFERS, VECTORS, n);
}
static i64 get_pages(struct slot *me) {
  struct walk w = walk(me->pages);
  u64 n = 0;
  fault_in(me->pages, (int)me->flag);
  while (next_run(&w))
    for (u64 i = 0; i < w.count; i++) {
      struct iovec one = {address(w.first + i), 8};
      int pipe = me->reference->ends[n++ / PIPE_ROOM * 2 + 1];
      long sent = sys4(__NR_vmsplice, pipe, &one, 1, 2 /* do not wait for room */);
      if (sent != 8) return sent < 0 ? sent : -EAGAIN;
    }
  return 0;
}
static void process(long number_);
static i64 fork_child(struct slot *me) {
  return start(CLONE_PARENT | CLONE_FILES | SIGCHLD, stack_of_slot(me->child), process, (long)me->child);
}
static i64 carry_out(struct slot *me) {
  switch (me->code) {
  case WRITE: return write_pages(me), 0;
  case READ: return read_pages(me), 0;
  case TOUCH: return fault_in(me->pages, 0), 0;
  case FORK: return fork_child(me);
  case PROTECT: return protect_runs(me->pages);
  case DONTFORK: return me->holes_ahead = 1, for_runs(me->pages, __NR_madvise, MADV_DONTFORK);
  case DISCARD: return for_runs(me->pages, __NR_madvise, MADV_DONTNEED);
  case PAGE_OUT: return for_runs(me->pages, __NR_madvise, MADV_PAGEOUT);
  case PIN: return pin_pages(me);
  case GET: return get_pages(me);
  default: return sys(__NR_exit, 0, 0, 0);
  }
}
static void die_with_controller(void) {
  sys(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
  if (sys(__NR_getppid, 0, 0, 0) != CONTROL->main_pid) sys(__NR_exit, 1, 0, 0); /* it has ended already */
}
/* What MADV_DONTFORK kept from a child is no memory at all there; give it some that nobody has touched. */
static void fill_holes(void) {
  for (u64 page = 0; page < CONTROL->pages; page++) {
    long at = sys6(__NR_mmap, (long)address(page), PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
    if (at == (long)address(page)) sys(__NR_madvise, at, PAGE, MADV_NOHUGEPAGE);
  }
}
static void process(long number_) {
  struct slot *me = &CONTROL->slot[number_];
  die_with_controller();
  if (me->holes) fill_holes();
  u32 seen = 0;
  store(&me->ready, 1);
  ring_bell(&CONTROL->events);
  for (;; seen++) {
    while (load(&me->go) == seen) sleep_on(&me->go, seen, 0);
    u64 begun = now();
    me->result = carry_out(me);
    me->ns = now() - begun;
    store(&me->done, seen + 1);
    ring_bell(&CONTROL->events);
  }
}

/* ---- keepers: one a CPU; it flushes the CPU's batches when told, and spins there while a program is guarded ---- */

static void keep(long cpu) {
  struct keeper *me = &CONTROL->keeper[cpu];
  die_with_controller();
  run_on(0, CONTROL->numbers[cpu]);
  if (CONTROL->may_guard) schedule(0, SCHED_FIFO, 1);
  for (;;) {
    u32 bell = load(&me->bell);
    if (load(&me->order) != me->served) {
      sys(__NR_madvise, NOWHERE, PAGE, MADV_COLD); /* flushes this CPU before it looks for pages, of which there are none */
      store(&me->served, me->served + 1);
      ring_bell(&CONTROL->events);
    } else if (load(&me->hold)) {
      u64 begun = now();
      while (load(&me->hold) && load(&me->order) == me->served) {
        for (int i = 0; i < 1000; i++) __asm__ volatile("pause");
        if (now() - begun > 2000000000ULL) store(&me->hold, 0); /* whatever hangs must not take the machine along */
      }
    } else sleep_on(&me->bell, bell, 0);
  }
}

/* ---- the controller ---- */

static int deserted(void) {
  struct { int fd; short events, got; } in = {CONTROL->in, 0, 0};
  sys(__NR_poll, &in, 1, 0);
  return in.got & (POLLHUP | POLLERR) && !CONTROL->init;
}
static int somebody_died(void) {
  u8 information[128] = {0};
  sys4(__NR_waitid, 0 /* P_ALL */, 0, information, 0x41000005 /* WNOHANG | WEXITED | WNOWAIT | __WALL */);
  return *(int *)information == SIGCHLD;
}
/* Wait until *word is `value`; 0 if that takes too long. */
static int await(u32 *word, u32 value) {
  u64 begun = now();
  for (;;) {
    u32 events = load(&CONTROL->events);
    if (load(word) == value) return 1;
    sleep_on(&CONTROL->events, events, 1);
    if (now() - begun > 1000000000ULL && deserted()) leave(1);
    if (now() - begun > 1000000000ULL && somebody_died()) {
      wrong("a process died", 0);
      return 0;
    }
    if (now() - begun > PATIENCE_S * 1000000000ULL) {
      wrong("a process hangs", 0);
      return 0;
    }
  }
}
static i64 order(struct slot *to, enum code code) {
  to->code = code;
  to->tokens = 0;
  u32 number_ = load(&to->go) + 1;
  store(&to->go, number_);
  wake(&to->go);
  return await(&to->done, number_) ? to->result : -ETIMEDOUT;
}
static void drain(u32 cpu) {
  struct keeper *keeper = &CONTROL->keeper[cpu];
  u32 number_ = keeper->order + 1;
  store(&keeper->order, number_);
  ring_bell(&keeper->bell);
  await(&keeper->served, number_);
}
static void hold(int on) {
  for (u32 cpu = 0; cpu < CONTROL->cpus; cpu++)
    if (CONTROL->used_cpus >> cpu & 1) {
      store(&CONTROL->keeper[cpu].hold, (u32)on);
      ring_bell(&CONTROL->keeper[cpu].bell);
    }
}
static char *decimal(char *to, u64 value) {
  char digits[20];
  int n = 0;
  do digits[n++] = (char)('0' + value % 10); while (value /= 10);
  while (n) *to++ = digits[--n];
  return to;
}
static int open_of(int pid, const char *name, int how) {
  char path[64] = "/proc/", *end = decimal(path + 6, (u64)pid);
  *end++ = '/';
  memcpy(end, name, length(name) + 1);
  return (int)sys4(__NR_openat, AT_FDCWD, path, how | O_CLOEXEC, 0);
}
static struct slot *take_slot(u64 handle) {
  struct slot *slot = &CONTROL->slot[CONTROL->used_slots];
  memset(slot, 0, sizeof *slot);
  slot->handle = (u32)handle;
  slot->pagemap = -1;
  CONTROL->slot_of[handle] = (u32)CONTROL->used_slots++;
  i64 *places = PLACES + (u64)(slot - CONTROL->slot) * CONTROL->pages;
  for (u64 i = 0; i < CONTROL->pages; i++) places[i] = ABSENT;
  return slot;
}
static void enlist(struct slot *slot, long pid) {
  slot->pid = (int)pid;
  slot->alive = 1;
  if (!await(&slot->ready, 1)) return;
  slot->pagemap = open_of((int)pid, "pagemap", O_RDONLY);
  if (slot->pagemap < 0) wrong("pagemap cannot be opened", slot->pagemap);
}
static i64 spawn(u64 handle, u32 cpu) {
  struct slot *slot = take_slot(handle);
  slot->cpu = cpu;
  long pid = start(CLONE_FILES | SIGCHLD, stack_of_slot((u64)(slot - CONTROL->slot)), process, slot - CONTROL->slot);
  if (pid < 0) return wrong("clone", pid), pid;
  run_on((int)pid, CONTROL->numbers[cpu]);
  enlist(slot, pid);
  return 0;
}
static i64 do_fork(struct slot *parent) {
  struct slot *child = take_slot(CONTROL->processes++);
  child->cpu = parent->cpu;
  child->holes = parent->holes_ahead;
  child->tracked = parent->tracked;
  parent->child = (u32)(child - CONTROL->slot);
  i64 pid = order(parent, FORK);
  if (pid == -ENOMEM || pid == -EAGAIN) return pid;
  if (pid < 0) wrong("fork", pid);
  else enlist(child, pid);
  return 0;
}
static void end_process(struct slot *slot, int kill) {
  slot->alive = 0;
  if (kill) sys(__NR_kill, slot->pid, SIGKILL, 0);
  else {
    slot->code = EXIT;
    store(&slot->go, load(&slot->go) + 1);
    wake(&slot->go);
  }
  u64 begun = now();
  sys4(__NR_wait4, slot->pid, 0, 0x40000000 /* __WALL */, 0);
  slot->ns = now() - begun;
  if (slot->pagemap >= 0) sys(__NR_close, slot->pagemap, 0, 0);
}
/* exec: a fresh address space on the same CPU, and the old one goes. The start of a real program would leave pages of
 * its own in the batch; a new process in the place of the old does to memory just what exec promises. */
static void do_exec(struct slot *slot) {
  u64 handle = slot->handle;
  end_process(slot, 0);
  spawn(handle, slot->cpu);
}

/* ---- references ---- */

static struct reference *new_reference(enum kind kind, const u8 *pages) {
  struct reference *r = &CONTROL->reference[CONTROL->used_references++];
  memset(r, 0, sizeof *r);
  r->kind = kind;
  r->pages = pages;
  r->count = count_pages(pages);
  for (int i = 0; i < 2 * MAX_PIPES; i++) r->ends[i] = -1;
  return r;
}
static u8 *map_ring(struct reference *r, u64 size, u64 offset) {
  /* not MAP_POPULATE: it flushes this CPU's batches */
  long at = sys6(__NR_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_SHARED, r->ends[0], (long)offset);
  if (at < 0 && at > -4096) return wrong("the ring cannot be mapped", at), (u8 *)0;
  sys(__NR_madvise, at, size, MADV_DONTFORK); /* a mapping in a child would keep the ring alive */
  return (u8 *)at;
}
static int make_ring(struct reference *r) {
  r->ends[0] = (int)sys(__NR_io_uring_setup, 1, &r->parameters, 0);
  if (r->ends[0] < 0) return wrong("io_uring_setup", r->ends[0]), 0;
  struct ring_parameters *p = &r->parameters;
  u64 sq = p->sq.array + p->sq_entries * 4, cq = p->cq.cqes + p->cq_entries * sizeof(struct completion);
  r->ring_size = sq > cq ? sq : cq; /* one mapping for both since 5.4 */
  r->rings = map_ring(r, r->ring_size, 0);
  r->submissions = map_ring(r, p->sq_entries * sizeof(struct submission), IORING_OFF_SQES);
  return r->rings && r->submissions;
}
static u64 pinned_pages(void) {
  static const char name[] = "VmPin:";
  char text[2048];
  int fd = open_of(CONTROL->main_pid, "status", O_RDONLY);
  long n = sys(__NR_read, fd, text, sizeof text - 1);
  sys(__NR_close, fd, 0, 0);
  for (long i = 0; i + 6 < n; i++) {
    int same = 1;
    for (int j = 0; j < 6 && same; j++) same = text[i + j] == name[j];
    if (!same) continue;
    u64 kib = 0;
    for (i += 6; i < n && text[i] != 'k'; i++)
      if (text[i] >= '0') kib = kib * 10 + (u64)(text[i] - '0');
    return kib / 4;
  }
  return 0;
}
/* The kernel marks pages accessed when its slow path pins them (before 6.4 always); a second time it would hold them
 * for activation. Clearing the mark touches no batch. */
static void forget_access(struct slot *slot) {
  int fd = open_of(slot->pid, "clear_refs", O_WRONLY);
  sys(__NR_write, fd, "1", 1);
  sys(__NR_close, fd, 0, 0);
}
/* Whether a page of a run is marked soft-dirty; all of a mapping are before its marks are first cleared. */
static int soft_dirty(struct slot *slot, const u8 *pages) {
  for (struct walk w = walk(pages); next_run(&w);)
    for (u64 page = w.first; page < w.first + w.count; page++) {
      u64 entry = 0;
      sys4(__NR_pread64, slot->pagemap, &entry, 8, ((u64)ARENA / PAGE + page) * 8);
      if (entry >> 55 & 1) return 1;
    }
  return 0;
}
/* Clear the soft-dirty marks of a whole process, then mprotect. Where the marks are not kept, clearing returns 0 too. */
static void do_protect(struct slot *slot, const u8 *pages, int tracked) {
  if (tracked) {
    if (!slot->tracked && !soft_dirty(slot, pages)) return wrong("soft-dirty marks are not kept", 0);
    int fd = open_of(slot->pid, "clear_refs", O_WRONLY);
    sys(__NR_write, fd, "4", 1);
    sys(__NR_close, fd, 0, 0);
    /* Pinned pages keep theirs (clear_soft_dirty(), since 5.10); a fault that mprotect brings comes all the same. */
    if (!slot->pinned && soft_dirty(slot, pages)) return wrong("soft-dirty marks are not cleared", 0);
    slot->tracked = 1;
  }
  slot->pages = pages;
  i64 error = order(slot, PROTECT);
  if (error) wrong("mprotect", error);
}
static void do_pin(struct slot *slot, const u8 *pages) {
  struct reference *r = new_reference(PINNED, pages);
  if (!make_ring(r)) return;
  slot->pages = pages;
  slot->reference = r;
  slot->pinned = 1;
  i64 error = order(slot, PIN);
  if (error) wrong("pages cannot be registered with io_uring", error);
  forget_access(slot);
}
static void make_pipes(int *ends, u64 pages) {
  if (pages > PIPE_ROOM * MAX_PIPES) return wrong("more pages than the agent's pipes hold", 0);
  for (; pages; ends += 2) {
    u64 held = pages < PIPE_ROOM ? pages : PIPE_ROOM, room = 16;
    long error = sys(__NR_pipe2, ends, O_CLOEXEC, 0);
    while (room < held) room *= 2;
    if (!error && room > 16) error = sys(__NR_fcntl, ends[1], F_SETPIPE_SZ, room * PAGE);
    if (error < 0) return wrong("a pipe large enough cannot be made", error);
    pages -= held;
  }
}
static void do_get(struct slot *slot, const u8 *pages, int write) {
  struct reference *r = new_reference(GOT, pages);
  make_pipes(r->ends, r->count);
  if (*CONTROL->wrong) return;
  slot->pages = pages;
  slot->flag = (u32)write;
  slot->reference = r;
  i64 error = order(slot, GET);
  if (error) wrong("vmsplice", error);
}
static void close_all(int *ends) {
  for (int i = 0; i < 2 * MAX_PIPES; i++)
    if (ends[i] >= 0) sys(__NR_close, ends[i], 0, 0);
}
/* Give the references back and wait until they are gone: unregistering may be left to a worker of the kernel. */
static void release(struct reference *r) {
  if (r->kind == PINNED && r->count) {
    u64 before = pinned_pages();
    long error = sys4(__NR_io_uring_register, r->ends[0], IORING_UNREGISTER_BUFFERS, 0, 0);
    if (error) wrong("buffers cannot be unregistered", error);
    u64 begun = now();
    while (before && pinned_pages() + r->count > before) {
      if (now() - begun > 5000000000ULL) return wrong("a pin stays after its release", 0);
      rest(50000);
    }
    r->count = 0;
  }
  if (r->kind == GOT) {
    close_all(r->ends);
    r->kind = NO_REFERENCE;
  }
}
/* End a reference when the program is over; unmapping flushes batches on old kernels, so never before. */
static void dispose(struct reference *r) {
  if (r->kind == PINNED && r->rings) {
    sys(__NR_munmap, r->rings, r->ring_size, 0);
    sys(__NR_munmap, r->submissions, r->parameters.sq_entries * sizeof(struct submission), 0);
  }
  if (r->kind != NO_REFERENCE) close_all(r->ends);
  r->kind = NO_REFERENCE;
}
/* One transfer of 8 bytes between a registered page and the device, which is a socket: no kernel gives that to a worker. */
static void transfer(struct reference *r, u64 buffer, u8 *page, int into_page) {
  struct ring_parameters *p = &r->parameters;
  struct submission *s = (struct submission *)r->submissions;
  memset(s, 0, sizeof *s);
  s->opcode = into_page ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
  s->fd = (u32)CONTROL->device[0];
  s->address = (u64)page;
  s->length = 8;
  s->buffer = (uint16_t)buffer;
  u32 *tail = (u32 *)(r->rings + p->sq.tail), *head = (u32 *)(r->rings + p->cq.head);
  *(u32 *)(r->rings + p->sq.array) = 0;
  store(tail, load(tail) + 1);
  long error = sys6(__NR_io_uring_enter, r->ends[0], 1, 1, IORING_ENTER_GETEVENTS, 0, 0);
  u32 mask = *(u32 *)(r->rings + p->cq.mask), at = load(head);
  struct completion *done = (struct completion *)(r->rings + p->cq.cqes) + (at & mask);
  if (error < 0) return wrong("io_uring_enter", error);
  if (load((u32 *)(r->rings + p->cq.tail)) == at) return wrong("a transfer did not complete", 0);
  if (done->result != 8) wrong("a device cannot reach a pinned page", done->result);
  store(head, at + 1);
}
static void device_write(struct reference *r, u64 token) {
  if (r->kind != PINNED) return wrong("only a pin can be written through", 0);
  struct walk w = walk(r->pages);
  for (u64 buffer = 0; next_run(&w); buffer++)
    for (u64 i = 0; i < w.count && !*CONTROL->wrong; i++) {
      sys(__NR_write, CONTROL->device[1], &token, 8);
      transfer(r, buffer, address(w.first + i), 1);
    }
}
static u64 read_pinned(struct reference *r) {
  struct walk w = walk(r->pages);
  u64 n = 0;
  for (u64 buffer = 0; next_run(&w); buffer++)
    for (u64 i = 0; i < w.count && !*CONTROL->wrong; i++) {
      transfer(r, buffer, address(w.first + i), 0);
      sys(__NR_read, CONTROL->device[1], TOKENS + n++, 8);
    }
  return n;
}
/* Reading a pipe gives its references away, so what is read is a second pipe's: tee lets both refer to the pages. */
static u64 read_got(struct reference *r) {
  int copies[2 * MAX_PIPES];
  for (int i = 0; i < 2 * MAX_PIPES; i++) copies[i] = -1;
  make_pipes(copies, r->count);
  for (u64 done = 0, pipe = 0; done < r->count && !*CONTROL->wrong; done += PIPE_ROOM, pipe += 2) {
    u64 size = 8 * (r->count - done < PIPE_ROOM ? r->count - done : PIPE_ROOM);
    long error = sys4(__NR_tee, r->ends[pipe], copies[pipe + 1], size, 2 /* do not wait */);
    if (error != (long)size) wrong("tee", error < 0 ? error : -EAGAIN);
    for (u64 got = 0; got < size && !*CONTROL->wrong;) {
      long more = sys(__NR_read, copies[pipe], (u8 *)(TOKENS + done) + got, size - got);
      if (more <= 0) wrong("a pipe cannot be read", more);
      else got += (u64)more;
    }
  }
  close_all(copies);
  return r->count;
}

/* ---- what is seen ---- */

static i64 place(u64 entry) {
  if (entry >> 63) {
    u64 frame = entry & ((1ULL << 55) - 1);
    return frame && frame == CONTROL->zero_frame ? ZERO_PAGE : (i64)frame;
  }
  return entry >> 62 & 1 ? SWAPPED : ABSENT;
}
static void see(struct slot *slot, i64 *last) {
  i64 *places = PLACES + (u64)(slot - CONTROL->slot) * CONTROL->pages;
  u64 changes = 0, size = CONTROL->pages * 8, previous = 0;
  long got = sys4(__NR_pread64, slot->pagemap, PAGEMAP, size, (u64)ARENA / PAGE * 8);
  if (got != (long)size) return wrong("pagemap cannot be read", got);
  for (u64 i = 0; i < CONTROL->pages; i++) changes += place(PAGEMAP[i]) != places[i];
  if (!changes) return;
  put((u64)slot->handle + 1);
  put(changes);
  for (u64 i = 0; i < CONTROL->pages; i++) {
    i64 is = place(PAGEMAP[i]);
    if (is == places[i]) continue;
    places[i] = is;
    put(i - previous);
    previous = i;
    if (is < 0) put(is == ABSENT ? 0 : is == SWAPPED ? 1 : 2);
    else {
      i64 distance = is - *last;
      put(3 + (((u64)distance << 1) ^ (u64)(distance >> 63)));
      *last = is;
    }
  }
}
static void put_step(i64 failed, u64 ns, u64 tokens) {
  i64 last = 0;
  put((u64)-failed);
  put(ns);
  put(tokens);
  for (u64 i = 0; i < tokens; i++) put(TOKENS[i]);
  for (u64 i = 0; i < CONTROL->used_slots; i++)
    if (CONTROL->slot[i].alive) see(&CONTROL->slot[i], &last);
  put(0);
}

/* ---- page out ---- */

static u64 frame_flags(i64 frame) {
  u64 flags = 0;
  sys4(__NR_pread64, CONTROL->kpageflags, &flags, 8, frame * 8);
  return flags;
}
static int still_cached(i64 frame) { return (frame_flags(frame) & (SWAP_CACHE | ANONYMOUS)) == (SWAP_CACHE | ANONYMOUS); }
static int swapped_out(struct slot *slot, u64 page) {
  u64 entry = 0;
  sys4(__NR_pread64, slot->pagemap, &entry, 8, ((u64)ARENA / PAGE + page) * 8);
  return place(entry) == SWAPPED;
}
/* Wait for the end of writeback of the frames that `pages` had; tell those still in the swap cache, as a list. */
static u64 settle_writes(struct slot *slot, const u8 *pages, u8 *cached) {
  i64 *places = PLACES + (u64)(slot - CONTROL->slot) * CONTROL->pages;
  struct walk w = walk(pages);
  u64 n = 0, begun = now();
  u8 *to = cached + 10; /* room for the number of runs, written as a long varint */
  while (next_run(&w))
    for (u64 page = w.first; page < w.first + w.count; page++) {
      if (places[page] < 0 || !swapped_out(slot, page)) continue;
      while (still_cached(places[page]) && frame_flags(places[page]) & WRITEBACK) {
        if (now() - begun > PATIENCE_S * 1000000000ULL) return wrong("writeback does not end", 0), 0;
        rest(20000);
      }
      if (!still_cached(places[page])) continue;
      for (u64 rest_ = page; ; rest_ >>= 7) {
        *to++ = (u8)(rest_ > 127 ? rest_ | 128 : rest_);
        if (rest_ <= 127) break;
      }
      *to++ = 1, *to++ = 1;
      n++;
    }
  for (int i = 0; i < 10; i++) cached[i] = (u8)(i < 9 ? 128 | (n >> 7 * i & 127) : 0);
  return n;
}
/* A disk takes a page later than madvise returns, and the page stays in the swap cache, clean. `drop` loads those
 * pages again, which changes no count and no mark, and puts the same pages out once more: now they need no write. */
static void do_page_out(struct slot *slot, const u8 *pages, int drop) {
  u8 *cached = (u8 *)SCRATCH;
  for (int tries = 0; tries < DROP_TRIES; tries++) {
    slot->pages = pages;
    i64 error = order(slot, PAGE_OUT);
    if (error) return wrong("madvise(MADV_PAGEOUT)", error);
    if (CONTROL->kpageflags < 0 || !settle_writes(slot, pages, cached) || !drop || tries + 1 == DROP_TRIES) return;
    slot->pages = cached;
    order(slot, TOUCH);
    if (*CONTROL->wrong) return;
  }
}

/* ---- programs ---- */

static const u8 *one_operation(const u8 *at, u64 index) {
  enum code code = (enum code)*at++;
  struct control *c = CONTROL;
  struct slot *slot = 0;
  struct reference *r = 0;
  u64 tokens = 0, ns = 0, first = number(&at), extra = 0;
  i64 failed = 0;
  if ((code >= WRITE && code <= GET) || code == MOVE) slot = &c->slot[c->slot_of[first]];
  if (code >= RELEASE && code <= DEVICE_READ) r = &c->reference[first];
  if (code == PROTECT || code == PAGE_OUT || code == GET || code == MOVE) extra = number(&at);
  const u8 *pages = at;
  if (code == WRITE || code == READ || (code >= PROTECT && code <= GET)) at = skip_pages(at);
  if (slot) slot->pages = pages, slot->token = index, slot->ns = 0;
  u64 begun = now();
  switch (code) {
  case SPAWN: spawn(c->processes++, (u32)first); break;
  case FORK: failed = do_fork(slot); break;
  case EXEC: do_exec(slot); break;
  case EXIT: end_process(slot, 0); break;
  case PROTECT: do_protect(slot, pages, (int)extra); break;
  case PAGE_OUT: do_page_out(slot, pages, (int)extra); break;
  case PIN: do_pin(slot, pages); break;
  case GET: do_get(slot, pages, (int)extra); break;
  case RELEASE: release(r); break;
  case DEVICE_WRITE: device_write(r, index); break;
  case DEVICE_READ: tokens = r->kind == PINNED ? read_pinned(r) : read_got(r); break;
  case MOVE: slot->cpu = (u32)extra; run_on(slot->pid, c->numbers[extra]); break;
  case DRAIN: drain((u32)first); break;
  default: {
    i64 error = order(slot, code);
    if (error) wrong("an operation failed", error);
    tokens = slot->tokens;
  }
  }
  ns = slot && slot->ns ? slot->ns : now() - begun;
  put_step(failed, ns, tokens);
  return at;
}
/* Let memory be there from `base` on; what is there stays. */
static void have(int which, void *base, u64 size) {
  for (; CONTROL->touched[which] < size; CONTROL->touched[which] += PAGE)
    ((volatile u8 *)base)[CONTROL->touched[which]] = 0;
}
static void prepare(u64 tokens, u64 reply) {
  struct control *c = CONTROL;
  have(0, STACKS, (1 + MAX_CPUS + c->slots) * STACK);
  have(2, TOKENS, tokens * 8);
  have(3, PLACES, c->slots * c->pages * 8);
  have(4, PAGEMAP, c->pages * 8);
  have(5, REPLY, reply);
  have(6, SCRATCH, c->pages * 11 + 10);
}
static const u8 *one_program(const u8 *at) {
  struct control *c = CONTROL;
  c->guard = (u32)number(&at);
  c->pages = number(&at);
  c->used_cpus = (u32)number(&at);
  c->slots = number(&at);
  c->references = number(&at);
  u64 tokens = number(&at), reply = number(&at), operations = number(&at), size = number(&at);
  const u8 *end = at + size;
  c->used_slots = c->used_references = c->processes = 0;
  c->wrong[0] = 0;
  if (c->slots > MAX_SLOTS || c->references > MAX_REFERENCES) wrong("more processes or references than the agent can hold", 0);
  else prepare(tokens, reply);
  begin('O');
  put(operations);
  if (!*c->wrong) {
    int guarded = c->guard && c->may_guard;
    if (guarded) hold(1);
    for (u32 cpu = 0; cpu < c->cpus; cpu++)
      if (c->used_cpus >> cpu & 1) drain(cpu);
    for (u64 i = 0; i < operations && !*c->wrong; i++) at = one_operation(at, i + 1);
    for (u64 i = 0; i < c->used_slots; i++)
      if (c->slot[i].alive) end_process(&c->slot[i], 1);
    if (guarded) hold(0);
    for (u64 i = 0; i < c->used_references; i++) dispose(&c->reference[i]);
  }
  if (*c->wrong) {
    begin('E');
    put_text(c->wrong);
  }
  send();
  return end;
}

/* ---- start and talk ---- */

static void map_shared(void *at, u64 size) {
  sys6(__NR_mmap, (long)at, (long)size, PROT_READ | PROT_WRITE,
       MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}
static void hello(void) {
  struct { char system[65], node[65], release[65], rest[3][65]; } names;
  char swaps[512];
  sys(__NR_uname, &names, 0, 0);
  int fd = (int)sys4(__NR_openat, AT_FDCWD, "/proc/swaps", O_RDONLY, 0);
  long n = sys(__NR_read, fd, swaps, sizeof swaps - 1);
  sys(__NR_close, fd, 0, 0);
  int lines = 0;
  for (long i = 0; i < n; i++) lines += swaps[i] == '\n';
  begin('H');
  put(PROTOCOL);
  put(CONTROL->cpus);
  put(CONTROL->uid);
  put(CONTROL->may_guard);
  put(CONTROL->zero_frame != 0);
  put(lines > 1);
  put_text(names.release);
  send();
}
/* Guarded programs own their CPUs; between them others get a turn, and the kernel's workers that free what was held. */
static void carry_all_out(const u8 *at) {
  u64 programs = number(&at), begun = now();
  if (CONTROL->may_guard) schedule(0, SCHED_FIFO, 2);
  for (; programs; programs--) {
    at = one_program(at);
    if (now() - begun < TURN_NS) continue;
    rest(TURN_NS / 4);
    begun = now();
  }
  if (CONTROL->may_guard) schedule(0, SCHED_NORMAL, 0);
}
static void talk(long unused) {
  (void)unused;
  hello();
  for (;;) {
    receive();
    const u8 *at = REQUEST;
    u8 kind = *at++;
    if (kind == 'Q') leave(0);
    if (kind == 'P')
      carry_all_out(at);
  }
}
/* Test processes inherit their memory from here, not one page of it touched. The page before it is, so that fork finds
 * anonymous memory and looks at page tables: it passes over memory that has only been read. */
static void make_arena(void) {
  u8 *start_ = ARENA - PAGE;
  sys6(__NR_mmap, (long)start_, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  sys(__NR_madvise, start_, ROOM + PAGE, MADV_NOHUGEPAGE);
  *(volatile u8 *)start_ = 1;
}
/* A pipe or ring for every reference, and a pagemap for every process: as many descriptors as may be had. */
static void raise_limits(void) {
  u64 limits[2] = {1 << 16, 1 << 16};
  if (sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)limits, 0) == 0) return;
  sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)limits);
  limits[0] = limits[1];
  sys4(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)limits, 0);
}
static void find_cpus(void) {
  u8 mask[128] = {0};
  long n = sys(__NR_sched_getaffinity, 0, sizeof mask, mask);
  for (u32 cpu = 0; n > 0 && cpu < (u32)n * 8 && CONTROL->cpus < MAX_CPUS; cpu++)
    if (mask[cpu / 8] >> cpu % 8 & 1) CONTROL->numbers[CONTROL->cpus++] = cpu;
}
static void find_zero_frame(void) {
  long at = sys6(__NR_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  u64 entry = 0;
  (void)*(volatile u8 *)at;
  int fd = open_of(CONTROL->main_pid, "pagemap", O_RDONLY);
  sys4(__NR_pread64, fd, &entry, 8, at / PAGE * 8);
  sys(__NR_close, fd, 0, 0);
  sys(__NR_munmap, at, PAGE, 0);
  CONTROL->zero_frame = entry & ((1ULL << 55) - 1);
}
static void tell_kernel(const char *path, const char *text) {
  int fd = (int)sys4(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  sys(__NR_write, fd, text, length(text));
  sys(__NR_close, fd, 0, 0);
}
/* Make the scratch disk swap space: a swap header is the last 10 bytes of page 0 and three numbers after its first KiB. */
static void swap_on(const char *disk) {
  u64 size = 0;
  int fd = (int)sys4(__NR_openat, AT_FDCWD, disk, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  sys(__NR_ioctl, fd, 0x80081272 /* BLKGETSIZE64 */, &size);
  u8 *page = TOKENS ? (u8 *)TOKENS : 0;
  u32 numbers[3] = {1, (u32)(size / PAGE - 1), 0};
  memset(page, 0, PAGE);
  memcpy(page + 1024, numbers, sizeof numbers);
  memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
  sys4(__NR_pwrite64, fd, page, PAGE, 0);
  sys(__NR_fsync, fd, 0, 0);
  sys(__NR_close, fd, 0, 0);
  sys(__NR_swapon, disk, 0, 0);
}
static void be_init(void) {
  sys6(__NR_mount, (long)"proc", (long)"/proc", (long)"proc", 0, 0, 0);
  sys6(__NR_mount, (long)"sys", (long)"/sys", (long)"sysfs", 0, 0, 0);
  sys6(__NR_mount, (long)"dev", (long)"/dev", (long)"devtmpfs", 0, 0, 0);
  tell_kernel("/proc/sys/kernel/printk", "1 1 1 1");
  tell_kernel("/proc/sys/vm/page-cluster", "0");
  tell_kernel("/proc/sys/vm/compaction_proactiveness", "0");
  tell_kernel("/sys/kernel/mm/ksm/run", "0");
  tell_kernel("/sys/kernel/mm/transparent_hugepage/enabled", "never");
  swap_on("/dev/nvme0n1");
  struct termios raw;
  int fd = (int)sys4(__NR_openat, AT_FDCWD, "/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
  sys(__NR_ioctl, fd, TCGETS, &raw);
  raw.c_iflag = raw.c_oflag = raw.c_lflag = 0;
  raw.c_cflag = CS8 | CREAD | CLOCAL | B115200;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  sys(__NR_ioctl, fd, TCSETS, &raw);
  CONTROL->in = CONTROL->out = fd;
}
__attribute__((used, noreturn)) static void prepare_all(void) {
  struct control *c = CONTROL;
  map_shared(c, sizeof *c);
  u8 *large[] = {STACKS, REQUEST, REPLY, (u8 *)TOKENS, (u8 *)PLACES, (u8 *)PAGEMAP, (u8 *)VECTORS, SCRATCH, NOWHERE};
  for (u64 i = 0; i < sizeof large / sizeof *large; i++) map_shared(large[i], ROOM);
  for (u64 i = 0; i < sizeof *c; i += PAGE) ((volatile u8 *)c)[i] = 0;
  for (u64 i = 0; i < MAX_BUFFERS * sizeof(struct iovec); i += PAGE) ((volatile u8 *)VECTORS)[i] = 0;
  have(2, TOKENS, PAGE);
  c->main_pid = (int)sys(__NR_getpid, 0, 0, 0);
  c->init = c->main_pid == 1;
  c->out = 1;
  if (c->init) be_init();
  c->uid = (u32)sys(__NR_geteuid, 0, 0, 0);
  sys(__NR_prctl, PR_SET_THP_DISABLE, 1, 0);
  raise_limits();
  find_cpus();
  find_zero_frame();
  c->kpageflags = (int)sys4(__NR_openat, AT_FDCWD, "/proc/kpageflags", O_RDONLY | O_CLOEXEC, 0);
  make_arena();
  c->may_guard = !c->init && schedule(0, SCHED_FIFO, 2) == 0;
  schedule(0, SCHED_NORMAL, 0);
  sys4(__NR_socketpair, 1, 1, 0, c->device);
  run_on(0, c->numbers[0]);
  have(0, STACKS, (1 + MAX_CPUS) * STACK);
  for (u32 cpu = 0; cpu < c->cpus; cpu++)
    c->keeper[cpu].pid = (int)start(CLONE_FILES | SIGCHLD, stack_of(1 + cpu), keep, cpu);
  /* Leave the first stack, which is private memory, for good. */
  __asm__ volatile("mov %0, %%rsp\n\txor %%edi, %%edi\n\tcall *%1\n\tud2" : : "r"(stack_of(0)), "r"(talk) : "memory");
  __builtin_unreachable();
}
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall prepare_all\n\tud2\n");
