#include "tests/oracle/selftest.h"

#include <stdio.h>
#include <string.h>

#include "platform/why.h"
#include "tests/oracle/database.h"
#include "tests/oracle/generate.h"
#include "tests/oracle/library.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/mutate.h"
#include "tests/oracle/place.h"
#include "tests/oracle/sample.h"

static int selftest_failed;

static void selftest_check(bool holds, const char *what)
{
    if (holds)
        return;
    selftest_failed++;
    (void)fprintf(stderr, "oracle: self-test: not so: %s\n", what);
}

/* Is there a buffer of that type and Target with exactly these bytes? */
static bool selftest_saw(const char *type, unsigned target, const void *bytes, size_t length)
{
    for (size_t i = 0; i < witness_buffer_count(); i++) {
        const struct witness_buffer *buffer = witness_buffer(i);

        if (strcmp(buffer->type, type) == 0 && buffer->target == target &&
            buffer->length == length && memcmp(witness_bytes(buffer), bytes, length) == 0)
            return true;
    }
    return false;
}

static bool selftest_saw_text(const char *type, unsigned target, const char *text)
{
    return selftest_saw(type, target, text, strlen(text));
}

static bool selftest_saw_layer(const char *type, unsigned level)
{
    for (size_t i = 0; i < witness_layer_count(); i++) {
        if (strcmp(witness_layer(i)->type, type) == 0 && witness_layer(i)->level == level)
            return true;
    }
    return false;
}

static void selftest_message(struct bytes *message)
{
    message->length = 0;
    mail_trace(message);
    bytes_text(message, "Subject: self-test\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: multipart/mixed; boundary=\"edge\"\r\n"
                        "\r\n"
                        "--edge\r\n"
                        "Content-Type: text/plain\r\n"
                        "Content-Transfer-Encoding: 8bit\r\n"
                        "\r\n"
                        "Some   PLAIN Text\r\n"
                        "in two lines\r\n"
                        "--edge\r\n"
                        "Content-Type: text/html\r\n"
                        "Content-Transfer-Encoding: 8bit\r\n"
                        "\r\n"
                        "<html><!-- gone --><B>Bold</B> words</html>\r\n"
                        "--edge\r\n"
                        "Content-Type: application/octet-stream; name=\"named.bin\"\r\n"
                        "Content-Transfer-Encoding: base64\r\n"
                        "\r\n"
                        "AQIDBPr7AAAA/v8AAQAAAoAAgQAA\r\n"
                        "--edge--\r\n");
}

static void selftest_buffers(const struct bytes *message)
{
    static const uint8_t binary[] = {1, 2, 3, 4, 0xfa, 0xfb, 0, 0,    0, 0xfe, 0xff,
                                     0, 1, 0, 0, 2,    0x80, 0, 0x81, 0, 0}; /* as encoded there */
    bool named = false;

    for (size_t i = 0; i < witness_name_count(); i++)
        named = named || strcmp(witness_name(i)->name, "named.bin") == 0;
    selftest_check(witness_whole(), "buffers are whole");
    selftest_check(selftest_saw("CL_TYPE_MAIL", 4, message->data, message->length),
                   "the raw message is matched");
    selftest_check(selftest_saw_text("CL_TYPE_ANY", 0, "Some   PLAIN Text\nin two lines\n"),
                   "text is matched as stored");
    selftest_check(selftest_saw_text("CL_TYPE_TEXT_ASCII", 7, "some plain text in two lines "),
                   "text is matched normalised");
    selftest_check(selftest_saw_text("CL_TYPE_HTML", 3, "<html><b>bold</b>words</html>"),
                   "HTML is matched without comments");
    selftest_check(selftest_saw_text("CL_TYPE_HTML", 3, " bold words "),
                   "HTML is matched without tags");
    selftest_check(selftest_saw("CL_TYPE_BINARY_DATA", 0, binary, sizeof(binary)),
                   "binary is matched");
    selftest_check(selftest_saw("CL_TYPE_OTHER", 14, binary, sizeof(binary)),
                   "binary is matched as \"other\"");
    selftest_check(named, "file names are held against rules");
    selftest_check(selftest_saw_layer("CL_TYPE_MAIL", 0), "the message is a mail");
    selftest_check(selftest_saw_layer("CL_TYPE_HTML", 1), "a part is HTML");
}

/* A message of several windows, so that their joining is seen to work. */
static void selftest_long(struct library *library)
{
    struct bytes message = {0};
    struct scan_result result;

    mail_trace(&message);
    bytes_text(&message, "Subject: long\r\n\r\n");
    for (unsigned i = 0; i < 40000; i++)
        bytes_format(&message, "line %u\r\n", i);
    library_scan(library, &message, &result);
    selftest_check(witness_whole(), "windows join");
    selftest_check(selftest_saw("CL_TYPE_MAIL", 4, message.data, message.length),
                   "a message of several windows is whole");
    bytes_text(&message, "planted-token\r\n");
    library_scan(library, &message, &result);
    selftest_check(result.verdict == VERDICT_INFECTED, "a signature at the end is found");
    bytes_free(&message);
}

/* A signature that nothing finds proves nothing: each one of ours is found somewhere. */
static void selftest_samples(struct library *library, const struct samples *samples)
{
    struct bytes message = {0};
    struct random random;

    random_seed(&random, 1);
    for (size_t i = 0; i < samples->count; i++) {
        struct scan_result result = {0};

        for (unsigned place = 0; place < place_count(); place++) {
            place_message(&message, place, &samples->entries[i].payload, &random);
            library_scan(library, &message, &result);
            if (result.verdict == VERDICT_INFECTED)
                break;
        }
        if (result.verdict == VERDICT_INFECTED)
            continue;
        selftest_failed++;
        (void)fprintf(stderr, "oracle: self-test: libclamav finds %s nowhere\n",
                      samples->entries[i].name);
    }
    bytes_free(&message);
}

/* One seed, one message. */
static void selftest_chance(const struct samples *samples)
{
    const struct mails none = {0};
    struct bytes messages[2] = {{0}, {0}};

    for (uint64_t seed = 0; seed < 100; seed++) {
        for (unsigned i = 0; i < 2; i++) {
            struct random random;

            random_seed(&random, seed);
            generate_message(&messages[i], samples, &random);
            mutate_message(&messages[i], &none, samples, 4, &random);
        }
        selftest_check(messages[0].length == messages[1].length &&
                           memcmp(messages[0].data, messages[1].data, messages[0].length) == 0,
                       "a seed gives the same message again");
    }
    bytes_free(&messages[0]);
    bytes_free(&messages[1]);
}

static struct library *selftest_library(const struct database *database)
{
    struct why why = {""};
    struct library *library = library_open(database->directory, true, &why);

    if (library == NULL) {
        selftest_failed++;
        (void)fprintf(stderr, "oracle: %s\n", why.text);
    }
    return library;
}

/* A second engine, with our own signatures. */
static void selftest_own(const struct database *database)
{
    struct samples samples = {0};
    struct library *library;

    samples_own(&samples);
    selftest_chance(&samples);
    if (!samples_own_write(database->directory)) {
        selftest_check(false, "our own signatures can be written");
    } else if ((library = selftest_library(database)) != NULL) {
        selftest_samples(library, &samples);
        library_close(library);
    }
    samples_free(&samples);
}

int selftest(void)
{
    struct database database;
    struct bytes message = {0};
    struct scan_result result;
    struct library *library;

    selftest_failed = 0;
    if (!database_make(&database))
        return 1;
    (void)database_write_text(&database, "oracle.ndb",
                              "Oracle.SelfTest:0:*:706c616e7465642d746f6b656e\n"
                              "Oracle.SelfTest.Text:7:*:706c616e7465642d746f6b656e\n");
    library = selftest_library(&database);
    if (library != NULL) {
        selftest_message(&message);
        library_scan(library, &message, &result);
        selftest_check(result.verdict == VERDICT_CLEAN, "the message is clean");
        selftest_buffers(&message);
        selftest_long(library);
        library_close(library);
    }
    selftest_own(&database);
    database_remove(&database);
    bytes_free(&message);
    return selftest_failed;
}
