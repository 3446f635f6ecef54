#include "signatures/scanner/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "signatures/scanner/examine.h"
#include "signatures/scanner/verdict.h"

#define CHILD_KEEPER 3
#define CHILD_INBOX  4

static void child_say(const struct child_word *word)
{
    (void)!write(CHILD_KEEPER, word, sizeof(*word));
}

static void child_fail(const char *text) __attribute__((noreturn));

static void child_fail(const char *text)
{
    struct child_word word = {.said = CHILD_FAILED};

    (void)snprintf(word.text, sizeof(word.text), "%s", text);
    child_say(&word);
    _exit(1);
}

/* Moves its two descriptors to where it knows them and closes the rest; 0 to 2 are /dev/null: the
 * appliance's log is not for it to write, or to cut. A sanitizer may still say what it found. */
static void child_close_others(const struct child_setting *setting)
{
    int keeper = fcntl(setting->keeper, F_DUPFD_CLOEXEC, 64);
    int inbox = fcntl(setting->inbox, F_DUPFD_CLOEXEC, 64);

    if (keeper < 0 || inbox < 0 || dup3(keeper, CHILD_KEEPER, O_CLOEXEC) < 0 ||
        dup3(inbox, CHILD_INBOX, O_CLOEXEC) < 0 ||
        (setting->sandbox->call_count > 0 && dup2(STDIN_FILENO, STDERR_FILENO) < 0) ||
        close_range(CHILD_INBOX + 1, ~0u, 0) != 0)
        _exit(1);
}

static void child_reseed(void)
{
    unsigned seed[4];

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
        return; /* cannot happen once the pool is up; names stay private by their directory */
    srand(seed[0]);
    srandom(seed[1]);
    srand48((long)seed[2]);
}

static void child_prepare(const struct child_setting *setting)
{
    struct child_word word = {.said = CHILD_READY};
    struct why why = {""};

    child_close_others(setting);
    child_reseed();
    (void)prctl(PR_SET_NAME, "postern-child", 0, 0, 0);
    if (sandbox_enter(setting->sandbox, setting->uid, setting->gid, &why) != STATUS_OK)
        child_fail(why.text);
    if (getppid() != setting->parent)
        _exit(1); /* it died before we asked to die with it */
    memcpy(word.text, why.text, sizeof(word.text));
    child_say(&word);
}

/* Maps the message, which nobody writes to while it is looked at. */
static void child_examine(const struct child_setting *setting, const struct child_order *order,
                          struct scan_result *result)
{
    static const uint8_t nothing[1];
    void *bytes = NULL;

    if (order->length > 0)
        bytes = mmap(NULL, order->length, PROT_READ, MAP_PRIVATE, CHILD_INBOX, 0);
    if (bytes == MAP_FAILED)
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "message could not be mapped");
    else
        examine_message(setting->engine, bytes != NULL ? bytes : nothing, order->length,
                        order->flags, result);
}

void child_run(const struct child_setting *setting)
{
    struct child_word word = {.said = CHILD_FOUND};
    struct child_order order;

    child_prepare(setting);
    if (read(CHILD_KEEPER, &order, sizeof(order)) != (ssize_t)sizeof(order))
        _exit(0); /* the keeper is gone, or does not need us */
    child_examine(setting, &order, &word.result);
    child_say(&word);
    _exit(0);
}
