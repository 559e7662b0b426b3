/* Preloaded into User-mode Linux on processors with more registers than it has room for.
 *
 * It saves and restores the registers of its processes by ptrace, into a buffer of the size that its kernel knew. A
 * newer processor (AMX) has a larger state. The host fills a buffer that is too small, but takes back whole states
 * only (EFAULT), and User-mode Linux goes down. So where the host refuses, what there is goes over the state as it
 * stands: processes of the machine do not use what User-mode Linux does not know.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

static long (*plain)(enum __ptrace_request, pid_t, void *, void *);

static long set_partly(pid_t pid, void *kind, const struct iovec *given)
{
	static char state[1 << 16]; /* User-mode Linux has one thread */
	struct iovec whole = { state, sizeof state };

	if (given->iov_len > sizeof state || plain(PTRACE_GETREGSET, pid, kind, &whole) < 0)
		return -1;
	memcpy(state, given->iov_base, given->iov_len < whole.iov_len ? given->iov_len : whole.iov_len);
	return plain(PTRACE_SETREGSET, pid, kind, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list words;
	va_start(words, request);
	pid_t pid = va_arg(words, pid_t);
	void *address = va_arg(words, void *);
	void *data = va_arg(words, void *);
	va_end(words);

	if (!plain)
		plain = (long (*)(enum __ptrace_request, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
	long result = plain(request, pid, address, data);
	if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_partly(pid, address, data);
	return result;
}
