#include "signatures/scanner/jail.h"

#include <iconv.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

/* Those whose names are in libclamav 1.4: of HTML, of old Office documents and of zip. */
static const char *const jail_charsets[] = {
    "BIG5",         "CP1025",        "CP866",         "CP875",        "CP949",
    "EUC-CN",       "EUC-JP",        "EUC-KR",        "GB18030",      "GB2312",
    "IBM037",       "IBM1026",       "IBM273",        "IBM277",       "IBM278",
    "IBM280",       "IBM284",        "IBM285",        "IBM290",       "IBM297",
    "IBM420",       "IBM423",        "IBM424",        "IBM437",       "IBM500",
    "IBM775",       "IBM850",        "IBM852",        "IBM855",       "IBM857",
    "IBM860",       "IBM861",        "IBM863",        "IBM864",       "IBM865",
    "IBM869",       "IBM870",        "IBM871",        "IBM880",       "IBM905",
    "ISO-2022-JP",  "ISO-2022-JP-2", "ISO-2022-JP-3", "ISO-2022-KR",  "ISO-8859-1",
    "ISO-8859-13",  "ISO-8859-15",   "ISO-8859-2",    "ISO-8859-3",   "ISO-8859-4",
    "ISO-8859-5",   "ISO-8859-6",    "ISO-8859-7",    "ISO-8859-8",   "ISO-8859-9",
    "JOHAB",        "KOI8-R",        "KOI8-U",        "MACINTOSH",    "SHIFT_JIS",
    "UCS-2",        "UCS-4",         "UCS-4BE",       "UCS-4LE",      "UTF-16",
    "UTF-16BE",     "UTF-16LE",      "UTF-32",        "UTF-32BE",     "UTF-32LE",
    "UTF-7",        "WINDOWS-1250",  "WINDOWS-1251",  "WINDOWS-1252", "WINDOWS-1253",
    "WINDOWS-1254", "WINDOWS-1255",  "WINDOWS-1256",  "WINDOWS-1257", "WINDOWS-1258",
    "WINDOWS-874",
};

static const char *const jail_targets[] = {"UTF-8//TRANSLIT", "UTF-16BE"};

#define JAIL_CHARSETS (sizeof(jail_charsets) / sizeof(jail_charsets[0]))
#define JAIL_TARGETS  (sizeof(jail_targets) / sizeof(jail_targets[0]))

/* Never closed: a module stays loaded while a descriptor of it is open. */
static iconv_t jail_converters[JAIL_CHARSETS][JAIL_TARGETS];

static const int jail_list[] = {
    /* memory */
    SYS_brk,
    SYS_madvise,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    /* temporary files, and the message */
    SYS_close,
    SYS_dup,
    SYS_faccessat,
    SYS_fchmod,
    SYS_fcntl,
    SYS_fstat,
    SYS_fstatfs,
    SYS_ftruncate,
    SYS_getcwd,
    SYS_getdents64,
    SYS_lseek,
    SYS_mkdirat,
    SYS_newfstatat,
    SYS_openat,
    SYS_pread64,
    SYS_pwrite64,
    SYS_read,
    SYS_readlinkat,
    SYS_readv,
    SYS_statx,
    SYS_umask,
    SYS_unlinkat,
    SYS_write,
    SYS_writev,
#ifdef SYS_open /* the older forms, where the architecture has them */
    SYS_access,
    SYS_chmod,
    SYS_lstat,
    SYS_mkdir,
    SYS_open,
    SYS_readlink,
    SYS_rename,
    SYS_rmdir,
    SYS_stat,
    SYS_time,
    SYS_unlink,
#endif
    /* time, chance, itself */
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_getegid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrandom,
    SYS_getrusage,
    SYS_gettid,
    SYS_gettimeofday,
    SYS_getuid,
    SYS_nanosleep,
    SYS_restart_syscall,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_yield,
    SYS_setitimer,
    SYS_sysinfo,
    SYS_uname,
};

void jail_prepare(void)
{
    tzset();
    for (size_t i = 0; i < JAIL_CHARSETS; i++) {
        for (size_t j = 0; j < JAIL_TARGETS; j++)
            jail_converters[i][j] = iconv_open(jail_targets[j], jail_charsets[i]);
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define JAIL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define JAIL_SANITIZED 1
#endif
#endif

const int *jail_calls(unsigned *count)
{
#ifdef JAIL_SANITIZED
    *count = 0;
#else
    *count = sizeof(jail_list) / sizeof(jail_list[0]);
#endif
    return jail_list;
}
