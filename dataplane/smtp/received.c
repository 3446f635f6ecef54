#include "dataplane/smtp/received.h"

#include <string.h>

#include "dataplane/smtp/text.h"
#include "signatures/content/mime/start.h"

struct received_date {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

/* Days since 1970-01-01 to a Gregorian date. Years are counted from 1 March of year 0, so that the
 * leap day comes last; 146097 days are 400 years. */
static struct received_date received_date(int64_t days)
{
    int64_t shifted = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
    struct received_date date = {
        .year = year + era * 400 + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
    };

    return date;
}

static void received_put_date(struct smtp_text *text, int64_t seconds)
{
    static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct received_date date;

    if (seconds < 0)
        seconds = 0;
    date = received_date(seconds / 86400);
    smtp_text_string(text, weekdays[seconds / 86400 % 7]);
    smtp_text_string(text, ", ");
    smtp_text_number(text, date.day, 1);
    smtp_text_string(text, " ");
    smtp_text_string(text, months[date.month - 1]);
    smtp_text_string(text, " ");
    smtp_text_number(text, (uint64_t)date.year, 4);
    smtp_text_string(text, " ");
    smtp_text_number(text, (uint64_t)(seconds / 3600 % 24), 2);
    smtp_text_string(text, ":");
    smtp_text_number(text, (uint64_t)(seconds / 60 % 60), 2);
    smtp_text_string(text, ":");
    smtp_text_number(text, (uint64_t)(seconds % 60), 2);
    smtp_text_string(text, " +0000");
}

size_t smtp_received_write(const struct smtp_received *received, char bytes[SMTP_RECEIVED_BYTES])
{
    struct smtp_text text = {bytes, SMTP_RECEIVED_BYTES, 0};

    smtp_text_string(&text, MIME_START);
    smtp_text_safe(&text, received->helo, strlen(received->helo), 255);
    smtp_text_string(&text, " ([");
    if (strchr(received->client, ':') != NULL)
        smtp_text_string(&text, "IPv6:"); /* RFC 5321 4.1.3 */
    smtp_text_safe(&text, received->client, strlen(received->client), 45);
    smtp_text_string(&text, "])\r\n\tby ");
    smtp_text_safe(&text, received->host, strlen(received->host), 255);
    smtp_text_string(&text, received->esmtp ? " with ESMTP id " : " with SMTP id ");
    smtp_text_string(&text, received->id);
    if (received->recipient != NULL) {
        smtp_text_string(&text, "\r\n\tfor <");
        smtp_text_safe(&text, received->recipient, strlen(received->recipient), 255);
        smtp_text_string(&text, ">");
    }
    smtp_text_string(&text, "; ");
    received_put_date(&text, received->wall_seconds);
    smtp_text_string(&text, "\r\n");
    return text.used;
}
