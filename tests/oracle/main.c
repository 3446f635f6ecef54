/* oracle: holds the prefilter against the unmodified libclamav. docs/oracle.md */
#include <stdio.h>
#include <string.h>

#include "tests/oracle/library.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/selftest.h"

static int usage(void)
{
    (void)fputs(
        "usage: oracle version                         the library this one is linked with\n"
        "       oracle selftest                        does the watch see everything?\n"
        "       oracle watch DATABASE FILE...   what libclamav matches of each mail\n",
        stderr);
    return 2;
}

static void show(const char *path, const struct scan_result *result)
{
    static const char *const verdicts[] = {"?", "clean", "infected", "unscannable"};

    printf("%s: %s %s, %.0f us%s\n", path, verdicts[result->verdict <= 3 ? result->verdict : 0],
           result->name, (double)result->cpu_ns / 1000,
           watch_whole() ? "" : ", SOME BUFFERS ARE NOT WHOLE");
    for (size_t i = 0; i < watch_layer_count(); i++) {
        const struct watch_layer *layer = watch_layer(i);

        printf("  layer  %u %-22s %8zu %s\n", layer->level, layer->type, layer->bytes, layer->name);
    }
    for (size_t i = 0; i < watch_name_count(); i++)
        printf("  name   %s (%zu)\n", watch_name(i)->name, watch_name(i)->bytes);
    for (size_t i = 0; i < watch_buffer_count(); i++) {
        const struct watch_buffer *buffer = watch_buffer(i);

        printf("  buffer %-22s target %2u %s %zu bytes: \"", buffer->type, buffer->target,
               buffer->normalised ? "normalised" : "as stored ", buffer->length);
        for (size_t j = 0; j < buffer->length && j < 48; j++) {
            uint8_t byte = watch_bytes(buffer)[j];

            if (byte >= 0x20 && byte < 0x7f)
                putchar(byte);
            else
                printf("\\%02x", byte);
        }
        printf("\"\n");
    }
}

static int watch_files(int count, char **arguments)
{
    struct bytes message = {0};
    struct scan_result result;
    char why[512] = "";
    struct library *library = library_open(arguments[0], true, why, sizeof(why));
    int failed = 0;

    if (library == NULL) {
        (void)fprintf(stderr, "oracle: %s\n", why);
        return 1;
    }
    for (int i = 1; i < count; i++) {
        if (!mail_read(arguments[i], &message)) {
            (void)fprintf(stderr, "oracle: %s cannot be read\n", arguments[i]);
            failed = 1;
            continue;
        }
        library_scan(library, &message, &result);
        show(arguments[i], &result);
    }
    library_close(library);
    bytes_free(&message);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%s\n", library_version());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "selftest") == 0)
        return selftest() == 0 ? 0 : 1;
    if (argc >= 4 && strcmp(argv[1], "watch") == 0)
        return watch_files(argc - 2, argv + 2);
    return usage();
}
