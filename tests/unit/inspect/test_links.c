/* From a .pdb to the decision: each of these links libclamav 1.4.6 reports in text/plain as
 * Heuristics.Phishing.Email.SpoofedDomain (clamscan, with the .pdb below), however the link is
 * written; a text without a link is settled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/why.h"
#include "signatures/compile/command.h"
#include "tests/unit/inspect/rig.h"

#define TARGET "http://elsewhere.example.net/x"
#define SHOWN  "http://www.keybank.com/"
#define REASON "signature: Heuristics.Phishing.Email.SpoofedDomain"
#define BINARY "\x01\x02\xff\xfe "

static char directory[] = "/tmp/test_links.XXXXXX";
static struct rig rig;

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

/* Builds with the command, as an appliance does, and opens what it wrote. */
static void open_with(const char *pdb)
{
    char database[128], output[128], table[128], option[] = "--database";
    struct why why = {""};
    char command[] = "signatures", build[] = "build", quiet[] = "--quiet", to[] = "--output",
         library[] = "--library-table";
    char *arguments[] = {command, build, quiet, option, database, to, output, library, table, NULL};

    (void)snprintf(database, sizeof(database), "%s/x.pdb", directory);
    (void)snprintf(output, sizeof(output), "%s/out", directory);
    (void)snprintf(table, sizeof(table), "%s/table", directory);
    write_file("x.pdb", pdb);
    write_file("table", "version 1.4.6\nflevel 213\n"
                        "type 1:*:3c68746d6c3e:HTML data:CL_TYPE_ANY:CL_TYPE_HTML\n"
                        "type 0:0:52656365697665643a20:a mail:CL_TYPE_ANY:CL_TYPE_MAIL\n"
                        "type 0:0:255044462d:PDF document:CL_TYPE_ANY:CL_TYPE_PDF\n"
                        "type 0:0:89504e47:PNG:CL_TYPE_ANY:CL_TYPE_PNG\n");
    assert_int_equal(signatures_command(9, arguments), 0);
    rig_begin(&rig);
    assert_int_equal(prefilter_open(&rig.prefilter, output, &why), STATUS_OK);
    assert_int_equal(inspector_create(&rig.inspector, &rig.settings), STATUS_OK);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_file("x.pdb");
    remove_file("table");
    remove_file("out");
    return rmdir(directory);
}

static const char *const links[] = {
    "<a href=\"" TARGET "\">" SHOWN "</a>",
    "<a href=\"" TARGET "\">http://www.key%62ank.com/</a>",
    "<a href=\"" TARGET "\">http://www.key\342ank.com/</a>", /* bit 7 set */
    "<a href=\"" TARGET "\">http://www.key;\"bank.com/</a>",
    "<a href=\"" TARGET "\"><img src=\"http://www.keybank.com/x.gif\"></a>",
    "<a HREF\r\n =\r\n \"" TARGET "\" title=\"" SHOWN "\">x",
    "<form action=\"" TARGET "\"><img src=\"http://www.keybank.com/x.gif\"></form>",
    "<a h=\"data:,x\"ref=\"" TARGET "\">" SHOWN "</a>", /* the name goes on behind data: */
    "<a h=\"d&#97;ta:,x\"ref=\"" TARGET "\">" SHOWN "</a>",
    "<a h=\"&#100;ata&colon;,x\"ref=\"" TARGET "\">" SHOWN "</a>",
    "<a h=&quot;data:,x ref=\"" TARGET "\">" SHOWN "</a>",
};

/* In each kind of part whose Content-Type is text, whatever the bytes are. */
static void test_links(void **state)
{
    static const char *const starts[] = {"", "<html>", BINARY, "\x89PNG "};
    char body[512];

    (void)state;
    open_with("H:keybank.com\n");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        for (size_t start = 0; start < 4; start++) {
            (void)snprintf(body, sizeof(body), "%s%s", starts[start], links[i]);
            mail_multipart(&sample);
            mail_part_base64(&sample, start == 1 ? HTML : PLAIN, body, strlen(body));
            mail_end(&sample);
            /* A data: URL in HTML is a gate. */
            if (start == 1 && strstr(links[i], "ref=\"") != NULL && links[i][3] == 'h' &&
                links[i][4] == '=')
                rig_expect(&rig, INSPECT_SENT_ON, "gate: HTML with a data: URL");
            else
                rig_expect(&rig, INSPECT_SENT_ON, REASON);
        }
        mail_of_text(PLAIN EIGHT, links[i]);
        rig_expect(&rig, INSPECT_SENT_ON, REASON);
        mail_multipart(&sample);
        mail_part(&sample, "Content-Type: text/plain; name=\"a.txt\"\r\n" SEVEN, "", 0);
        sample.length -= 2;
        (void)snprintf(body, sizeof(body), BINARY "%s", links[i]);
        mail_base64(&sample, body, strlen(body));
        mail_text(&sample, "\r\n");
        mail_end(&sample);
        rig_expect(&rig, INSPECT_SENT_ON, REASON);
    }
    rig_close(&rig);
}

static void test_no_links(void **state)
{
    (void)state;
    open_with("H:keybank.com\n");
    mail_of_all_kinds("hello, see " SHOWN " and");
    rig_expect_settled(&rig);
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, BINARY "<a href=\"" TARGET "\">", 40);
    mail_end(&sample);
    rig_expect_settled(&rig);
    rig_close(&rig);
}

/* Entries of other kinds than hosts speak of targets, which need no display. */
static void test_targets(void **state)
{
    (void)state;
    open_with("S:F:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
    mail_of_text(PLAIN EIGHT, "hello, see " SHOWN);
    rig_expect(&rig, INSPECT_SENT_ON, "always: Heuristics.Phishing.Email.SpoofedDomain");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_no_links),
        cmocka_unit_test(test_targets),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
