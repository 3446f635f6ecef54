/* Both names of each function are wanted here; the macro would make them one. */
#undef _FILE_OFFSET_BITS

#include "signatures/scanner/shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const char *shortage;

void shortage_forget(void)
{
    shortage = NULL;
}

const char *shortage_seen(void)
{
    return shortage;
}

#if defined(__SANITIZE_ADDRESS__)
#define SHORTAGE_WATCHED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHORTAGE_WATCHED 0
#endif
#endif
#ifndef SHORTAGE_WATCHED
#define SHORTAGE_WATCHED 1
#endif

#if SHORTAGE_WATCHED

/* glibc's own, under the names it keeps for those who stand in front of the plain ones. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset);

static void *shortage_memory(void *got)
{
    if (got == NULL)
        shortage = "out of memory";
    return got;
}

void *malloc(size_t size)
{
    return shortage_memory(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return shortage_memory(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    void *got = __libc_realloc(old, size);

    return size == 0 ? got : shortage_memory(got);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    long got = syscall(SYS_mmap, address, length, protection, flags, fd, offset);

    if (got == -1 && errno == ENOMEM)
        shortage = "out of memory";
    return (void *)got; /* NOLINT(performance-no-int-to-ptr) */
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return mmap(address, length, protection, flags, fd, offset);
}

static int shortage_open(const char *path, int flags, unsigned mode)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);

    if (fd < 0 && (errno == ENOSPC || errno == EDQUOT))
        shortage = "out of scratch space";
    else if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        shortage = "out of file descriptors";
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    unsigned mode = 0;

    va_start(arguments, flags);
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
        mode = va_arg(arguments, unsigned);
    va_end(arguments);
    return shortage_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    unsigned mode = 0;

    va_start(arguments, flags);
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
        mode = va_arg(arguments, unsigned);
    va_end(arguments);
    return shortage_open(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t written = syscall(SYS_write, fd, bytes, count);

    if (written < 0 && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT))
        shortage = "out of scratch space";
    return written;
}

#endif
