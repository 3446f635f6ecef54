/* The oracle's own signatures: every kind that can match something in a mail. */
#include <stdio.h>
#include <string.h>

#include "tests/oracle/sample.h"

/* In a line, <text> is written in hexadecimal. */
struct own {
    const char *file;
    const char *line;
    const char *payload;
    size_t length; /* 0: strlen(payload) */
};

#define SAMPLE_PATH_BYTES 512
#define RAW(text)         text, sizeof(text) - 1

static const struct own own[] = {
    {"o.ndb", "O.Any:0:*:<planted sentence one>", RAW("planted sentence one")},
    {"o.ndb", "O.Any.Case:0:*:<Planted Sentence TWO>", RAW("Planted Sentence TWO")},
    {"o.ndb", "O.Any.Short:0:*:<zqxj>", RAW("zqxj")},
    {"o.ndb", "O.Any.Long:0:*:<a much longer planted sentence that has many more bytes than fit>",
     RAW("a much longer planted sentence that has many more bytes than fit")},
    {"o.ndb", "O.Any.Lines:0:*:<two lines>0a<of planted text>",
     RAW("two lines\r\nof planted text")},
    {"o.ndb", "O.Any.Crlf:0:*:<crlf lines>0d0a<of planted text>",
     RAW("crlf lines\r\nof planted text")},
    {"o.ndb", "O.Any.Spaces:0:*:<gaps   in   planted   text>", RAW("gaps   in   planted   text")},
    {"o.ndb", "O.Html:3:*:<<b>planted bold</b>>", RAW("<b>planted bold</b>")},
    {"o.ndb", "O.Html.Link:3:*:<href=\"http://planted.example/\">",
     RAW("<a href=\"http://planted.example/\">x</a>")},
    {"o.ndb", "O.Html.Words:3:*:<planted words in a page>", RAW("planted words in a page")},
    {"o.ndb", "O.Html.Joined:3:*:<plantedjoinedwords>", RAW("plantedjoinedwords")},
    {"o.ndb", "O.Mail:4:*:<planted in the raw mail>", RAW("planted in the raw mail")},
    {"o.ndb", "O.Mail.Field:4:*:0d0a<X-Words: planted>", RAW("X-Words: planted field")},
    {"o.ndb", "O.Picture:5:*:<planted in a picture>", RAW("planted in a picture")},
    {"o.ndb", "O.Picture.Bytes:5:*:0102f0<planted>ff00", RAW("\x01\x02\xf0planted\xff\0")},
    {"o.ndb", "O.Text:7:*:<planted plain text>", RAW("planted plain text")},
    {"o.ndb", "O.Text.Mixed:7:*:<normalised and planted>", RAW("NormaliSED   and\r\nPLANTED")},
    {"o.ndb", "O.Text.Del:7:*:<planted>7f<deletion>", RAW("PLANTED\177DELETION")},
    {"o.ndb", "O.Any.Del:0:*:<other>7f<deletion>", RAW("Other\001\177deletion")},
    {"o.ndb", "O.Other:14:*:<planted in other>", RAW("planted in other")},
    {"o.ndb", "O.Other.Bytes:14:*:00ff<planted>fe01", RAW("\0\xffplanted\xfe\x01")},
    {"o.ndb", "O.Bytes:0:*:0001f0f1<planted>fffe", RAW("\0\x01\xf0\xf1planted\xff\xfe")},
    {"o.ndb", "O.Bytes.Only:0:*:f1f2f3f4f5f6f7f8", RAW("\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8")},
    {"o.ndb", "O.Bytes.Zero:0:*:<plant>00<ed>00<zeroes>", RAW("plant\0ed\0zeroes")},
    {"o.ndb", "O.Bytes.Control:0:*:<plant>0102<edcontrol>", RAW("plant\x01\x02\x65\x64\x63ontrol")},
    {"o.ndb", "O.Latin:0:*:<caf>e9<plant>e9<s>", RAW("caf\xe9plant\xe9s")},
    {"o.ndb", "O.Latin.Space:0:*:<le caf>e9<  est plant>e9", RAW("le caf\xe9  est plant\xe9")},
    {"o.ndb", "O.Utf8:0:*:c3a4c3b6c3bc<gepflanzt>c39f",
     RAW("\xc3\xa4\xc3\xb6\xc3\xbcgepflanzt\xc3\x9f")},
    {"o.ndb", "O.Gap:0:*:<planted alpha>{2-6}<planted omega>",
     RAW("planted alpha1234planted omega")},
    {"o.ndb", "O.Star:0:*:<planted first>*<planted last>",
     RAW("planted first and whatever is between planted last")},
    {"o.ndb",
     "O.Any.Byte:0:*:<plan>?"
     "?<tedany>?"
     "?<byte>",
     RAW("planAtedanyBbyte")},
    {"o.ndb", "O.Choice:0:*:<planted c>(<hoice>|<hance>)<taken>", RAW("planted choicetaken")},
    {"o.ndb", "O.Nibble:0:*:<planted n>6?6?<bles>", RAW("planted nibbles")},
    {"o.ndb", "O.Not:0:*:<planted n>!(<o>)<t there>", RAW("planted nit there")},
    {"o.ndb", "O.Word:0:*:(B)<plantedboundary>(B)", RAW(" plantedboundary ")},
    {"o.ndb", "O.Line:0:*:(L)<plantedlinestart>", RAW("\r\nplantedlinestart")},
    {"o.ndb", "O.End:0:EOF-200,200:<planted near the end>", RAW("planted near the end")},
    {"o.ndb", "O.Tag:0:*:<<planted-tag attribute=1>>", RAW("<planted-tag attribute=1>")},
    {"o.ldb", "O.L.And;Engine:51-255,Target:0;0&1;<first half planted>;<second half planted>",
     RAW("first half planted ... second half planted")},
    {"o.ldb", "O.L.Or;Engine:51-255,Target:0;0|1;<either is planted>;<or other planted>",
     RAW("or other planted")},
    {"o.ldb", "O.L.Count;Engine:51-255,Target:0;0>2;<counted>", RAW("counted counted counted")},
    {"o.ldb", "O.L.Exact;Engine:51-255,Target:0;0=2;<twicecount>", RAW("twicecount twicecount")},
    {"o.ldb", "O.L.Not;Engine:51-255,Target:0;0&(1=0);<present planted>;<absent planted>",
     RAW("present planted")},
    {"o.ldb", "O.L.Of;Engine:51-255,Target:0;(0|1|2)>1,2;<one of them>;<two of them>;<and three>",
     RAW("one of them, two of them, and three")},
    {"o.ldb", "O.L.Nested;Engine:51-255,Target:0;(0|1)&(2|3);<nest a>;<nest b>;<nest c>;<nest d>",
     RAW("nest b and nest c")},
    {"o.ldb", "O.L.Case;Engine:51-255,Target:0;0;<Caseless Planted>::i", RAW("cAsElEsS pLaNtEd")},
    {"o.ldb", "O.L.Wide;Engine:51-255,Target:0;0;<wide planted>::w",
     RAW("w\0i\0d\0e\0 \0p\0l\0a\0n\0t\0e\0d\0")},
    {"o.ldb", "O.L.WideAscii;Engine:51-255,Target:0;0;<both planted>::wa", RAW("both planted")},
    {"o.ldb", "O.L.Full;Engine:51-255,Target:0;0;<fullwordplanted>::f", RAW(" fullwordplanted ")},
    {"o.ldb", "O.L.Html;Engine:51-255,Target:3;0&1;<logical page>;<planted there>",
     RAW("logical page with planted there")},
    {"o.ldb", "O.L.Mail;Engine:51-255,Target:4;0&1;<logical mail>;0d0a<Subject: >",
     RAW("logical mail")},
    {"o.ldb",
     "O.L.Mail.Parts;Engine:51-255,Target:4;0&1&2;<Content-Type>::i;<part of it>;<another part>",
     RAW("part of it\r\nanother part")},
    {"o.ldb", "O.L.Text;Engine:51-255,Target:7;0&1;<logical text>;<planted in>",
     RAW("LOGICAL  text is planted   in")},
    {"o.ldb", "O.L.Picture;Engine:51-255,Target:5;0;<logical picture>", RAW("logical picture")},
    {"o.ldb", "O.L.Container;Engine:51-255,Container:CL_TYPE_MAIL,Target:0;0;<contained planted>",
     RAW("contained planted")},
    {"o.ldb", "O.L.Size;Engine:81-255,FileSize:1-500000,Target:0;0;<sized planted>",
     RAW("sized planted")},
    {"o.ldb", "O.L.Pcre;Engine:81-255,Target:0;0&1;<regex trigger>;0/planted[0-9]{3}regex/i",
     RAW("regex trigger Planted123Regex")},
    {"o.ldb",
     "O.L.Pcre.Html;Engine:81-255,Target:3;0&1;<page trigger>;0/plant(ed|ing) [a-z]+ page/",
     RAW("page trigger planting every page")},
    {"o.ldb", "O.L.Compare;Engine:101-255,Target:0;0&1;<compare: >;0(>>9#d3#>100)",
     RAW("compare: 250 ")},
    {"o.ldb", "O.L.Offset;Engine:51-255,Target:0;0&1;<offset planted>;EOF-3000,3000:<then the end>",
     RAW("offset planted then the end")},
    {"o.ldb", "O.L.Latin;Engine:51-255,Target:0;0&1;<logical caf>e9;<and words>",
     RAW("logical caf\xe9 and words")},
    {"o.ldb", "O.L.Handler;Engine:51-255,Target:0,HandlerType:CL_TYPE_HTML;0;<planted handler>",
     RAW("planted handler")},
    {"o.yar", "rule O_Y_Text { strings: $a = \"planted yara text\" condition: $a }",
     RAW("planted yara text")},
    {"o.yar", "rule O_Y_Case { strings: $a = \"planted yara case\" nocase condition: $a }",
     RAW("PLANTED yara Case")},
    {"o.yar",
     "rule O_Y_Two { strings: $a = \"yara first\" $b = \"yara second\" condition: $a and $b }",
     RAW("yara first, yara second")},
    {"o.yar",
     "rule O_Y_Hex { strings: $a = { 70 6c 61 6e 74 79 [2-4] 79 61 72 61 } condition: $a }",
     RAW("planty--yara")},
    {"o.cdb", "O.Name:CL_TYPE_MAIL:*:planted[-.]name.*exe$:*:*:*:*:*:*", RAW("planted-name.exe")},
    {"o.cdb", "O.Name.Any:*:*:^invoice_planted:*:*:*:*:*:*", RAW("invoice-planted.txt")},
    {"o.pdb", "H:planted-bank.com",
     RAW("<a href=\"http://elsewhere.example/\">http://www.planted-bank.com/</a>")},
};

static void own_line(struct bytes *to, const char *line)
{
    unsigned depth = 0;

    for (const char *at = line; *at != '\0'; at++) {
        /* "<<b>>" is the text "<b>": inside, the brackets are text. */
        if (*at == '<' && depth++ == 0)
            continue;
        if (*at == '>' && depth > 0 && --depth == 0)
            continue;
        if (depth > 0)
            bytes_format(to, "%02x", (uint8_t)*at);
        else
            bytes_byte(to, (uint8_t)*at);
    }
    bytes_byte(to, '\n');
}

static bool own_literal(const char *file)
{
    return strcmp(file, "o.ndb") != 0 && strcmp(file, "o.ldb") != 0;
}

/* A line's name: up to the first separator; a rule's: its second word. */
static void own_name(const struct own *entry, char name[SAMPLE_NAME_BYTES])
{
    const char *from = entry->line;
    size_t length;

    if (strncmp(from, "rule ", 5) == 0)
        from += 5;
    length = strcspn(from, ":; ");
    if (strcmp(entry->file, "o.pdb") == 0) {
        from = "O.Phishing";
        length = strlen(from);
    }
    (void)snprintf(name, SAMPLE_NAME_BYTES, "%.*s", (int)length, from);
}

bool samples_own_write(const char *directory)
{
    static const char *const files[] = {"o.ndb", "o.ldb", "o.yar", "o.cdb", "o.pdb"};
    struct bytes text = {0};
    bool written = true;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[SAMPLE_PATH_BYTES];

        text.length = 0;
        for (size_t j = 0; j < sizeof(own) / sizeof(own[0]); j++) {
            if (strcmp(own[j].file, files[i]) != 0)
                continue;
            if (own_literal(files[i]))
                bytes_format(&text, "%s\n", own[j].line);
            else
                own_line(&text, own[j].line);
        }
        (void)snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        written = written && bytes_save(&text, path);
    }
    bytes_free(&text);
    return written;
}

void samples_own(struct samples *samples)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        char name[SAMPLE_NAME_BYTES];

        own_name(&own[i], name);
        bytes_append(&samples_add(samples, name)->payload, own[i].payload, own[i].length);
    }
}
