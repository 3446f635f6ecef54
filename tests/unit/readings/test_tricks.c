/* The mails of tests/oracle/malformed hide the EICAR test file from libclamav: as they are, and
 * with any harmless doubt before or behind what hides it, the file is among the readings. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/readings/rig.h"

#define RECEIVED  "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\n"
#define MAILS_MAX 64u
#define BYTES_MAX 8192u

static const char *folder;
static char mails[MAILS_MAX][BYTES_MAX];
static char names[MAILS_MAX][64];
static unsigned mail_count;

static char long_line[1200]; /* a field in one line that is longer than lines may be */

/* Fields that make the header doubtful, and parts that make the parts so. */
static const char *const fields[] = {
    "",
    "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: 7bit\n",
    "Content-Disposition: inline; name=\"x\"\n",
    "Content-Disposition: inline; filename*0=\"a\"; filename*1=\"b\"\n",
    "Content-Disposition: x-other\n",
    "Content-Disposition:\n",
    "Content-Type: text/plain\n",
    "Content-Description: (a (comment) \"with\" quotes\n",
    "Content-Transfer-Encoding: x-unknown\n",
    "Content-Transfer-Encoding: \"base64\"\n",
    "MIME-Version: (none) 1.0\n",
    "Subject : with a blank\n",
    "Invalid Field: with one inside\n",
    "no field at all\n",
    "X-Folded: a\n \t\n b\n",
    "X-Nul: a\n;\n",
    long_line,
};

static const char *const parts[] = {
    "",
    "\nno header\n",
    "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/plain\n\nhello\n",
    "Content-Type: multipart/mixed; boundary=other\n\n--other\n\nhello\n--other--\n",
    "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVs=bG8=\n",
    "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na= \nb=zz\n",
    "Content-Type: text/plain; charset=a; charset=b\n\nhello\n",
    "Content-Type: text/plain;\n\nhello\n",
    "Content-Type: multipart/unheard; boundary=\"u\n\n--u\n\nhello\n",
    "Content-Type: message/partial; id=1; number=1; total=2\n\nhello\n",
    "begin 644 a\n#0V%T\n`\nend\n",
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))
#define PARTS  (sizeof(parts) / sizeof(parts[0]))

static int load(void **state)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;

    (void)state;
    assert_non_null(directory);
    (void)snprintf(long_line, sizeof(long_line), "X-L: %01100d\n", 0);
    while ((entry = readdir(directory)) != NULL) {
        char path[512];
        FILE *file;
        size_t length;

        if (strstr(entry->d_name, ".eml") == NULL)
            continue;
        assert_true(mail_count < MAILS_MAX && strlen(entry->d_name) < sizeof(names[0]));
        (void)snprintf(names[mail_count], sizeof(names[0]), "%s", entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        file = fopen(path, "re");
        assert_non_null(file);
        length = fread(mails[mail_count], 1, BYTES_MAX - 1, file);
        mails[mail_count++][length] = '\0';
        (void)fclose(file);
    }
    (void)closedir(directory);
    return mail_count >= 23 ? 0 : 1;
}

/* The length of the header, and that of the first line that may be a boundary. */
static size_t header_length(const char *mail)
{
    return (size_t)(strstr(mail, "\n\n") + 1 - mail);
}

static void append(char *to, const char *text, size_t length)
{
    size_t used = strlen(to);

    memcpy(to + used, text, length);
    to[used + length] = '\0';
}

/* `field` before the header's own, or behind them; `part` before the parts, or behind the first. */
static void check(unsigned number, const char *field, bool behind, const char *part)
{
    static char text[2 * BYTES_MAX];
    const char *mail = mails[number];
    size_t header = header_length(mail);
    const char *first = strstr(mail + header, "\n--");
    size_t line = first == NULL ? 0 : strcspn(first + 1, "\n") + 1;

    (void)snprintf(text, sizeof(text), "%s", RECEIVED);
    if (!behind)
        append(text, field, strlen(field));
    append(text, mail, header);
    if (behind)
        append(text, field, strlen(field));
    if (first == NULL || *part == '\0') {
        append(text, mail + header, strlen(mail + header));
    } else {
        append(text, mail + header, (size_t)(first + 1 - mail - header));
        append(text, first + 1, line);
        append(text, part, strlen(part));
        append(text, first + 1, strlen(first + 1));
    }
    if (!rig_shows_within(text, rig_eicar, strlen(rig_eicar)))
        fail_msg("%s: not shown behind \"%.40s\" and \"%.40s\"", names[number], field, part);
}

static void test_as_they_are(void **state)
{
    (void)state;
    for (unsigned i = 0; i < mail_count; i++)
        check(i, "", false, "");
}

static void test_behind_each_pair_of_doubts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < mail_count; i++) {
        for (size_t field = 0; field < FIELDS; field++) {
            for (size_t part = 0; part < PARTS; part++) {
                check(i, fields[field], false, parts[part]);
                check(i, fields[field], true, parts[part]);
            }
        }
    }
}

static void test_behind_each_pair_of_fields(void **state)
{
    char both[4096];

    (void)state;
    for (unsigned i = 0; i < mail_count; i++) {
        for (size_t one = 0; one < FIELDS; one++) {
            for (size_t other = 0; other < FIELDS; other++) {
                (void)snprintf(both, sizeof(both), "%s%s", fields[one], fields[other]);
                check(i, both, false, "");
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_they_are),
        cmocka_unit_test(test_behind_each_pair_of_doubts),
        cmocka_unit_test(test_behind_each_pair_of_fields),
    };

    if (argc != 2)
        return 2;
    folder = argv[1];
    return cmocka_run_group_tests(tests, load, NULL);
}
