/* Formats about names and types, bytecodes, and those that are only counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/read/collect.h"

/* Everything but signatures that a file with this content gives. */
static void expect_text(const char *name, const char *content, const char *text)
{
    struct collection *collection = collect_text(name, content);

    assert_string_equal(collection->why.text, "");
    assert_int_equal(collection->status, STATUS_OK);
    assert_int_equal(collection->signature_count, 0);
    assert_string_equal(collection->text, text);
    free(collection);
}

static void test_container_rules(void **state)
{
    (void)state;
    expect_text("x.cdb",
                "A:CL_TYPE_MAIL:*:(?i)\\.exe$:*:*:*:*:*:*\n"
                "B:*:*:*:1-2:*:0:*:*:*:51:255\n"
                "C:CL_TYPE_ZIP:*:x:*:*:*:*:*:*\n"
                "D:CL_TYPE_NEW:*:y:*:*:*:*:*:*\n",
                "name A (?i)\\.exe$ x.cdb 1\nname B (any) x.cdb 2\nname D y x.cdb 4\n"
                "counted x.cdb container rules 4\n");
    expect_formula("x.cdb", "A:CL_TYPE_MAIL\n", "TRUE");
}

static void test_phishing(void **state)
{
    (void)state;
    expect_text("x.pdb",
                "H:example.com\nR:.+\\.example\\.net([/?].*)?:17-\nR12f:a:b:17-100\n"
                "S:P:aabbcc\nH:host:8080\n",
                "domain example.com\ndomain .+\\.example\\.net([/?].*)? (regular)\n"
                "domain a:b (regular)\ndomain .* (regular)\ndomain host:8080\n"
                "counted x.pdb phishing domains 5\n");
}

static void test_counted(void **state)
{
    static const struct {
        const char *name;
        const char *kind;
    } files[] = {
        {"x.fp", "allowed"},
        {"x.sfp", "allowed"},
        {"x.wdb", "allowed"},
        {"x.mdb", "sections of executables"},
        {"x.msb", "sections of executables"},
        {"x.MDU", "sections of executables"},
        {"x.imp", "sections of executables"},
        {"x.zmd", "names in archives"},
        {"x.rmd", "names in archives"},
        {"x.idb", "icons of executables"},
        {"x.crb", "certificates"},
        {"x.cat", "certificates"},
        {"x.pwdb", "passwords"},
        {"x.info", "checksums of the container"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "counted %s %s 2\n", files[i].name, files[i].kind);
        expect_text(files[i].name, "#c\none:1\n\ntwo:2", text);
    }
}

static void test_ignored(void **state)
{
    (void)state;
    expect_text("x.ign2", "Some.Name-1\nOther:0123456789abcdef0123456789abcdef\n",
                "ignored Some.Name-1\nignored Other\ncounted x.ign2 ignored names 2\n");
    expect_text("x.ign", "main.db:17:Old.Name\n",
                "ignored Old.Name\ncounted x.ign ignored names 1\n");
}

static void test_configuration(void **state)
{
    (void)state;
    expect_text("x.cfg",
                "PE:0x0:1:9\nDOCUMENT:0x7ff:\nPHISHING:0x3\nDOCUMENT:0x5:11:13\nMAIL:0x1\n",
                "counted x.cfg configuration lines 5\n");
    expect_formula("x.cfg", "DOCUMENT:0x7ef\n", "TRUE");
    expect_formula("x.cfg", "DOCUMENT:0x7ef:20:255\n", "TRUE");
    expect_formula("x.cfg", "DOCUMENT:text\n", "TRUE");
    expect_formula("x.cfg", "PHISHING:0x1:20\n", "TRUE");
}

static void test_types(void **state)
{
    struct collection *collection =
        collect_text("x.ftm", "0:0:4d5a:MS-EXE:CL_TYPE_ANY:CL_TYPE_MSEXE\n"
                              "1:*:3c(68|48)746d6c:HTML:CL_TYPE_ANY:CL_TYPE_HTML:51:255\n"
                              "4:1024:482b0004:HFS+:CL_TYPE_PART_ANY:CL_TYPE_PART_HFSPLUS:75\n"
                              "broken\n");

    (void)state;
    assert_int_equal(collection->status, STATUS_OK);
    assert_int_equal(collection->signature_count, 0);
    assert_int_equal(collection->type_count, 4);
    assert_string_equal(collection->types[0].magic, "4d5a");
    assert_string_equal(collection->types[0].name, "CL_TYPE_MSEXE");
    assert_string_equal(collection->types[0].needed, "CL_TYPE_ANY");
    assert_string_equal(collection->types[0].line, "0:0:4d5a:MS-EXE:CL_TYPE_ANY:CL_TYPE_MSEXE");
    assert_true(collection->types[1].type.anywhere);
    assert_string_equal(collection->types[1].magic, "\"<html\"i");
    assert_string_equal(collection->types[3].line, "broken");
    free(collection);
}

#define BYTECODE_HEAD(kind)                                                                     \
    "ClamBCafhflhhgjkd|afefdfggifnf```" kind "``a```|bhacflfafmfbfcfmb`cnbac`cmbacbcmbgfdcfcac" \
    "efafefic``bhaaap`clamcoincidencejb:309\n"

static void test_bytecode(void **state)
{
    struct collection *collection =
        collect_text("x.cbc", BYTECODE_HEAD("c``a") "Test.{A,B};Target:1;(0&1);EP+0:aabb;f00d\n"
                                                    "Tedebgeebfeebeeebdeeb\nG;x;y\n");

    (void)state;
    assert_int_equal(collection->signature_count, 1);
    assert_string_equal(collection->signatures[0].name, "Test.{A,B}");
    assert_int_equal(collection->signatures[0].target, 1);
    assert_string_equal(collection->signatures[0].formula, "&(aabb f00d)");
    free(collection);
    /* A hook for PDF files without a trigger. */
    expect_text("x.cbc", BYTECODE_HEAD("cb`a") "Name\nTed\n",
                "counted x.cbc bytecode without a trigger 1\n");
    expect_text("x.cbc", BYTECODE_HEAD("`") "\nTed\n",
                "counted x.cbc bytecode without a trigger 1\n");
    expect_formula("x.cbc", BYTECODE_HEAD("c``a") "Name\nTed\n", "TRUE");
    expect_formula("x.cbc", BYTECODE_HEAD("cg`a") "Name\nTed\n", "TRUE");
    expect_formula("x.cbc", "ClamBC\nName\n", "TRUE");
    expect_formula("x.cbc", "ClamBCaf\n", "TRUE");
    expect_formula("x.cbc", "", "TRUE");
}

static void test_ioc(void **state)
{
    struct collection *collection = collect_text(
        "x.ioc", "<?xml version=\"1.0\" encoding=\"utf-8\"?><ioc>\n<Content type=\"md5\">\n"
                 " 44d88612fea8a8f36de82e1278abb02f </Content>\n"
                 "<Content>3395856CE81F2B7382DEE72602F798B642F14140</Content>not0a0hash</ioc>\n");

    (void)state;
    assert_int_equal(collection->signature_count, 0);
    assert_int_equal(collection->hash_count, 2);
    assert_true(collection->hashes[0].hash.any_size);
    assert_int_equal(collection->hashes[0].hash.digest_bytes, 16);
    assert_int_equal(collection->hashes[1].hash.digest[0], 0x33);
    free(collection);
    expect_formula("x.ioc", "<a>&#x34;4d88612fea8a8f36de82e1278abb02f</a>", "TRUE");
    expect_formula("x.ioc", "<?xml encoding='utf-7'?><a/>", "TRUE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_container_rules), cmocka_unit_test(test_phishing),
        cmocka_unit_test(test_counted),         cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_configuration),   cmocka_unit_test(test_types),
        cmocka_unit_test(test_bytecode),        cmocka_unit_test(test_ioc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
