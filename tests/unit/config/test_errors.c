/* Breaks each key of the full sample and checks the place and the words of the complaint.
 *
 * In `broken`, '~' marks the place that the error must point at; it is taken out before loading.
 * A last test holds the table against the schema: a key without a case fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/config/schema.h"
#include "platform/config/unknown.h"
#include "sample.h"

struct breakage {
    const char *good;
    const char *broken;
    const char *pieces[2];
};

static const struct breakage top_cases[] = {
    {"version: 1", "version: ~2", {"(version)", "write 1"}},
    {"version: 1", "version: ~one", {"(version)", "write 1"}},
    {"hostname: MX1.example.org", "hostname: ~mx_1.example.org", {"(hostname)", "a domain name"}},
    {"hostname: MX1.example.org", "hostname: ~10.0.0.1", {"(hostname)", "\"10.0.0.1\""}},
    {"hostname: MX1.example.org", "hostname:~ ", {"(hostname)", "\"\""}},
    {"hostname: MX1.example.org", "hostname: ~[mx1.example.org]", {"(hostname)", "a list where"}},
    {"hostname: MX1.example.org\n", "~", {"(hostname)", "missing"}},
    {"hostname: MX1", "~host_name: MX1", {"unknown key \"host_name\"", "postmaster"}},
    {"hostname: MX1", "~hostnmae: MX1", {"(hostnmae)", "did you mean hostname? Else write"}},
    {"  encrypted: reject", "  encrypted: ~drop", {"(unscannable.encrypted)", "defer, reject or"}},
    {"  encrypted: reject",
     "  encrypted: {mail: ~drop}",
     {"(unscannable.encrypted.mail)", "defer, reject or"}},
    {"  encrypted: reject",
     "  encrypted: {archive: ~0}",
     {"(unscannable.encrypted.archive)", "defer, reject or"}},
    {"  encrypted: reject",
     "  encrypted: {document: ~[]}",
     {"(unscannable.encrypted.document)", "a list where a single"}},
    {"  limit: reject", "  limit: ~[reject]", {"(unscannable.limit)", "a list where a single"}},
    {"  partial: reject", "  partial: ~no", {"(unscannable.partial)", "defer, reject or"}},
    {"  failed: reject", "  failed: ~''", {"(unscannable.failed)", "defer, reject or"}},
    {"  limit: reject", "  unsupported: ~0", {"(unscannable.unsupported)", "defer, reject or"}},
    {"  limit: reject", "  malformed: ~0", {"(unscannable.malformed)", "defer, reject or"}},
    {"  limit: reject", "  ~limits: reject", {"(unscannable.limits)", "did you mean limit?"}},
    {"postmaster: Admin@example.net", "postmaster: ~admin", {"(postmaster)", "mail address"}},
    {"postmaster: Admin@example.net", "postmaster: ~a@elsewhere.org", {"(postmaster)", "in no"}},
    {"runtime_directory: /run/other", "runtime_directory: ~run", {"(runtime_directory)", "path"}},
    {"runtime_directory: /run/other",
     "runtime_directory: ~/01234567890123456789012345678901234567890123456789012345678901234567890"
     "123456789",
     {"(runtime_directory)", "79 bytes"}},
    {"state_directory: /var/lib/other", "state_directory: ~''", {"(state_directory)", "path"}},
    {"format: json", "format: ~xml", {"(log.format)", "text or json"}},
    {"{format: json}", "{~file: x}", {"(log.file)", "write one of format"}},
    {"log: {format: json}", "log: ~json", {"(log)", "a mapping with keys"}},
    {"log: {format: json}", "log:~", {"(log)", "a mapping with keys"}},
    {"{user: relay}", "{user: ~0relay}", {"(control.user)", "user name"}},
    {"{user: relay}", "{~group: relay}", {"(control.group)", "write one of user"}},
    {"customers:\n", "hostname: a\ncustomers:\n", {"\"hostname\" is given twice", ""}},
    {"{user: relay}", "{user: a, ~user: b}", {"\"user\" is given twice", ""}},
};

static const struct breakage port_cases[] = {
    {"kind: tap", "kind: ~tun", {"(ports[1].kind)", "tap, af_packet or pci"}},
    {"- kind: pci\n    pci_address", "- ~pci_address", {"(ports[2].kind)", "missing"}},
    {"interface: postern0", "interface: ~interface_too_long", {"(ports[1].interface)", "15"}},
    {"interface: postern0", "interface: ~a/b", {"(ports[1].interface)", "'/'"}},
    {"interface: postern0", "interface: ~{a: b}", {"(ports[1].interface)", "a mapping where"}},
    {"kind: tap\n    interface: postern0", "~kind: tap", {"(ports[1].interface)", "without"}},
    {"kind: tap", "kind: pci\n    pci_address: \"0000:01:00.0\"", {"(ports[1].interface)", "no"}},
    {"interface: veth1",
     "interface: ~postern0\n    namespace: mail",
     {"(ports[3].interface)", "ports[1]"}},
    {"interface: postern0",
     "interface: postern0\n    pci_address: ~\"0000:01:00.0\"",
     {"(ports[1].pci_address)", "only a pci port"}},
    {"\"0000:0A:00.1\"", "~\"0000:0A:00.8\"", {"(ports[2].pci_address)", "bus"}},
    {"    pci_address: \"0000:0A:00.1\"\n", "", {"(ports[2].pci_address)", "without"}},
    {"namespace: mail", "namespace: ~../mail", {"(ports[1].namespace)", "/run/netns"}},
    {"    spreading: rss", "    namespace: ~mail", {"(ports[2].namespace)", "remove"}},
    {"\"02:00:00:00:00:1F\"", "~\"02:00:00:00:00\"", {"(ports[1].mac)", "six pairs"}},
    {"\"02:00:00:00:00:1F\"", "~\"01:00:00:00:00:1F\"", {"(ports[1].mac)", "unicast"}},
    {"\"02:00:00:00:00:1F\"", "~\"00:00:00:00:00:00\"", {"(ports[1].mac)", "unicast"}},
    {"198.18.0.2/24", "~198.18.0.2", {"(ports[1].address)", "prefix length"}},
    {"198.18.0.2/24", "~198.18.0.2/33", {"(ports[1].address)", "prefix length"}},
    {"198.18.0.2/24", "~198.18.0.256/24", {"(ports[1].address)", "prefix length"}},
    {"198.18.0.2/24", "~224.0.0.1/24", {"(ports[1].address)", "a host can have"}},
    {"198.18.0.2/24", "~0.0.0.0/24", {"(ports[1].address)", "a host can have"}},
    {"198.18.0.2/24", "~127.0.0.1/8", {"(ports[1].address)", "a host can have"}},
    {"198.18.0.2/24", "~255.255.255.255/32", {"(ports[1].address)", "a host can have"}},
    {"198.18.0.2/24", "~198.18.0.255/24", {"(ports[1].address)", "a host can have"}},
    {"198.18.0.2/24", "~198.18.0.0/24", {"(ports[1].address)", "a host can have"}},
    {"    address: 198.18.0.2/24\n", "", {"(ports[1].address)", "missing"}},
    {"198.18.1.2/31", "~198.18.0.2/31", {"(ports[2].address)", "ports[1]"}},
    {"\"2001:db8::2/64\"", "~\"2001:db8::2\"", {"(ports[1].address6)", "prefix length"}},
    {"\"2001:db8::2/64\"", "~\"2001:db8::2/129\"", {"(ports[1].address6)", "prefix length"}},
    {"\"2001:db8::2/64\"", "~\"ff02::1/64\"", {"(ports[1].address6)", "global"}},
    {"\"2001:db8::2/64\"", "~\"fe80::1/64\"", {"(ports[1].address6)", "global"}},
    {"\"2001:db8::2/64\"", "~\"::1/128\"", {"(ports[1].address6)", "global"}},
    {"    address: 198.18.1.2/31\n",
     "    address: 198.18.1.2/31\n    address6: ~\"2001:db8::2/64\"\n",
     {"(ports[2].address6)", "ports[1]"}},
    {"exception_interface: host0",
     "exception_interface: ~ho/st0",
     {"(ports[1].exception_interface)", "1 to 15"}},
    {"exception_namespace: host",
     "exception_namespace: ~a/b",
     {"(ports[1].exception_namespace)", "/run/netns"}},
    {"    exception_interface: host0\n    exception_namespace: host",
     "    exception_namespace: ~host",
     {"(ports[1].exception_namespace)", "without"}},
    {"    exception_interface: host0\n    exception_namespace: host",
     "    exception_interface: ~postern0\n    exception_namespace: mail",
     {"(ports[1].exception_interface)", "own"}},
    {"smtp_port: 2525", "smtp_port: ~0", {"(ports[1].smtp_port)", "1 to 65535"}},
    {"smtp_port: 2525", "smtp_port: ~65536", {"(ports[1].smtp_port)", "1 to 65535"}},
    {"smtp_port: 2525", "smtp_port: ~smtp", {"(ports[1].smtp_port)", "1 to 65535"}},
    {"mtu: 1400", "mtu: ~575", {"(ports[1].mtu)", "576 to 9000"}},
    {"mtu: 1400", "mtu: ~9001", {"(ports[1].mtu)", "576 to 9000"}},
    {"spreading: software", "spreading: ~hash", {"(ports[1].spreading)", "rss or software"}},
    {"rx_checksum: trust", "rx_checksum: ~no", {"(ports[1].rx_checksum)", "verify or trust"}},
    {"mtu: 1400", "~mut: 1400", {"(ports[1].mut)", "unknown key"}},
};

static const struct breakage core_and_memory_cases[] = {
    {"main: 1", "main: ~1,2", {"(cores.main)", "one cpu number"}},
    {"main: 1", "main: ~first", {"(cores.main)", "one cpu number"}},
    {"workers: 2-4,8", "workers: ~4-2", {"(cores.workers)", "0-3,8"}},
    {"workers: 2-4,8", "workers: ~2-4,3", {"(cores.workers)", "each once"}},
    {"workers: 2-4,8", "workers: ~2-4,", {"(cores.workers)", "0-3,8"}},
    {"workers: 2-4,8", "workers: ~0-64", {"(cores.workers)", "at most 64"}},
    {"workers: 2-4,8", "workers: ~[2, 3]", {"(cores.workers)", "0-3,8"}},
    {"scanners: 5,6", "scanners: ~-1", {"(cores.scanners)", "0-3,8"}},
    {"control: 0-1", "control: ~0-99999999999999999999", {"(cores.control)", "0-3,8"}},
    {"idle: poll", "idle: ~sleep", {"(cores.idle)", "adaptive or poll"}},
    {"  main: 1", "  ~mian: 1", {"(cores.mian)", "main, workers"}},
    {"hugepages: required", "hugepages: ~yes", {"(memory.hugepages)", "auto, required or off"}},
    {"messages: 1G", "messages: ~1X", {"(memory.messages)", "1M to 64G"}},
    {"messages: 1G", "messages: ~65G", {"(memory.messages)", "1M to 64G"}},
    {"messages: 1G", "messages: ~79M", {"(memory.messages)", "at least 80M"}},
    {"messages: 1G", "messages: ~99999999999999999999", {"(memory.messages)", "1M to 64G"}},
    {"messages: 1G", "messages: ~18014398509481985K", {"(memory.messages)", "1M to 64G"}},
    {"packets: 64M", "packets: ~1M", {"(memory.packets)", "16M to 64G"}},
    {"packets: 64M", "~packet: 1M", {"(memory.packet)", "unknown key"}},
};

static const struct breakage limit_cases[] = {
    {"message_size: 20M", "message_size: ~50X", {"(limits.message_size)", "1K to 100M"}},
    {"message_size: 20M", "message_size: ~101M", {"(limits.message_size)", "1K to 100M"}},
    {"message_size: 20M", "message_size: ~1023", {"(limits.message_size)", "1K to 100M"}},
    {"message_size: 20M", "message_size: ~-1", {"(limits.message_size)", "1K to 100M"}},
    {"message_size: 20M", "message_size: ~1.5M", {"(limits.message_size)", "1K to 100M"}},
    {"recipients: 100", "recipients: ~0", {"(limits.recipients)", "1 to 1000"}},
    {"recipients: 100", "recipients: ~1001", {"(limits.recipients)", "1 to 1000"}},
    {"connections: 500", "connections: ~many", {"(limits.connections)", "1 to 1000000"}},
    {"connections_per_prefix: 300",
     "connections_per_prefix: ~0",
     {"(limits.connections_per_prefix)", "1 to 1000000"}},
    {"connection_rate: 10", "connection_rate: ~0", {"(limits.connection_rate)", "1 to 1000000"}},
    {"data_rate: 1000", "data_rate: ~0", {"(limits.data_rate)", "1 to 1000000"}},
    {"connections_per_client: 50",
     "connections_per_client: ~0",
     {"(limits.connections_per_client)", "1 to 1000000"}},
    {"messages_in_progress: 256",
     "messages_in_progress: ~65537",
     {"(limits.messages_in_progress)", "1 to 65536"}},
    {"bad_commands: 5", "bad_commands: ~0x5", {"(limits.bad_commands)", "1 to 1000"}},
    {"_per_hour: 40", "_per_hour: ~0", {"(limits.invalid_recipients_per_hour)", "1 to 1000000"}},
    {"received_fields: 30", "received_fields: ~1e3", {"(limits.received_fields)", "1 to 1000"}},
    {"window: 64K", "window: ~15K", {"(limits.window)", "16K to 256K"}},
    {"window: 64K", "window: ~257K", {"(limits.window)", "16K to 256K"}},
    {"admission_wait: 20s", "admission_wait: ~61s", {"(limits.admission_wait)", "0ms to 1m"}},
    {"command_timeout: 2m", "command_timeout: ~120", {"(limits.command_timeout)", "1s to 1h"}},
    {"command_timeout: 2m", "command_timeout: ~2d", {"(limits.command_timeout)", "1s to 1h"}},
    {"data_timeout: 90s", "data_timeout: ~999ms", {"(limits.data_timeout)", "1s to 1h"}},
    {"strict_addresses: yes", "strict_addresses: ~true", {"(smtp.strict_addresses)", "yes or no"}},
    {"forbidden_commands: GET put",
     "forbidden_commands: ~GET,put",
     {"(smtp.forbidden_commands)", "one blank"}},
    {"forbidden_commands: GET put",
     "forbidden_commands: ~'GET  put'",
     {"(smtp.forbidden_commands)", "one blank"}},
    {"forbidden_commands: GET put",
     "forbidden_commands: ~'GET '",
     {"(smtp.forbidden_commands)", "one blank"}},
    {"verdict_timeout: 8m", "verdict_timeout: ~11m", {"(limits.verdict_timeout)", "1s to 10m"}},
    {"verdict_timeout: 8m", "verdict_timeout: ~10m", {"(limits.verdict_timeout)", "less than 10m"}},
    {"verdict_timeout: 8m",
     "verdict_timeout: ~1s",
     {"(limits.verdict_timeout)", "scanner.time_limit"}},
    {"  recipients: 100", "  ~recipient: 100", {"(limits.recipient)", "message_size, recipients"}},
};

static const struct breakage scanner_cases[] = {
    {"processes: 3", "processes: ~0", {"(scanner.processes)", "auto or a whole number from 1"}},
    {"processes: 3", "processes: ~257", {"(scanner.processes)", "1 to 256"}},
    {"database: /srv/clamav", "database: ~clamav", {"(scanner.database)", "absolute path"}},
    {"user: scan_user", "user: ~Scan User", {"(scanner.user)", "user name"}},
    {"time_limit: 1500ms", "time_limit: ~99ms", {"(scanner.time_limit)", "100ms to 10m"}},
    {"time_limit: 1500ms", "time_limit: ~1 s", {"(scanner.time_limit)", "100ms to 10m"}},
    {"scan_size: 200M", "scan_size: ~5G", {"(scanner.scan_size)", "1M to 4G"}},
    {"memory: 3G", "memory: ~63M", {"(scanner.memory)", "64M to 64G"}},
    {"files: 500", "files: ~1000001", {"(scanner.files)", "1 to 1000000"}},
    {"recursion: 9", "recursion: ~101", {"(scanner.recursion)", "1 to 100"}},
    {"recursion: 9", "~depth: 9", {"(scanner.depth)", "unknown key"}},
};

static const struct breakage prefilter_cases[] = {
    {"use: no", "use: ~maybe", {"(prefilter.use)", "yes or no"}},
    {"file: /srv/prefilter", "file: ~prefilter", {"(prefilter.file)", "/"}},
    {"cache_size: 1M", "cache_size: ~1K", {"(prefilter.cache_size)", "64K to 4G"}},
    {"message_size: 10M", "message_size: ~1G", {"(prefilter.message_size)", "1K to 100M"}},
    {"inspections: 9", "inspections: ~4", {"(prefilter.inspections)", "8 to 4096"}},
    {"inspections: 9", "~streams: 9", {"(prefilter.streams)", "unknown key"}},
};

static const struct breakage customer_cases[] = {
    {"name: example", "name: ~Example", {"(customers[1].name)", "a-z, 0-9"}},
    {"name: example", "name: ~''", {"(customers[1].name)", "a-z, 0-9"}},
    {"- name: example\n    domains", "- ~domains", {"(customers[1].name)", "missing"}},
    {"name: other", "name: ~example", {"(customers[2].name)", "exists already"}},
    {"[example.org, Example.NET]", "[example.org, ~-a.org]", {"(customers[1].domains[2])", "name"}},
    {"[example.org, Example.NET]", "~[]", {"(customers[1].domains)", "too few"}},
    {"[example.org, Example.NET]", "~example.org", {"(customers[1].domains)", "a list"}},
    {"[example.org, Example.NET]", "[example.org, ~[a]]", {"(customers[1].domains[2])", "a list"}},
    {"[example.org, Example.NET]",
     "[example.net, ~Example.NET]",
     {"(customers[1].domains[2])", "\"example.net\" belongs to customer \"example\" already"}},
    {"- example.com",
     "- ~EXAMPLE.org",
     {"(customers[2].domains[1])", "customer \"example\" already, and \"other\""}},
    {"[Alice, bob@example.net]", "[~a..b, c]", {"(customers[1].recipients[1])", "local part"}},
    {"[Alice, bob@example.net]",
     "[a, ~b@example.com]",
     {"(customers[1].recipients[2])", "in none"}},
    {"[Alice, bob@example.net]", "~[]", {"(customers[1].recipients)", "leave the key out"}},
    {"unscannable: reject",
     "unscannable: ~drop",
     {"(customers[1].unscannable)", "defer, reject or deliver"}},
    {"    unscannable: reject", "    ~unscanable: reject", {"(customers[1].unscanable)", "route"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{encrypted: ~drop, unsupported: defer}",
     {"(customers[3].unscannable.encrypted)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{encrypted: {mail: ~drop}}",
     {"(customers[3].unscannable.encrypted.mail)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{encrypted: {archive: ~drop}}",
     {"(customers[3].unscannable.encrypted.archive)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{encrypted: {document: ~drop}}",
     {"(customers[3].unscannable.encrypted.document)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{unsupported: ~drop}",
     {"(customers[3].unscannable.unsupported)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "{malformed: ~drop}",
     {"(customers[3].unscannable.malformed)", "defer, reject or deliver"}},
    {"{encrypted: deliver, unsupported: defer}",
     "~[deliver]",
     {"(customers[3].unscannable)", "a list where a mapping with keys belongs"}},
};

static const struct breakage route_cases[] = {
    {"host: relay.example.org", "host: ~10.0.0.300", {"(customers[1].route.host)", "IP address"}},
    {"host: relay.example.org\n      port", "~port", {"(customers[1].route.host)", "missing"}},
    {"    route: {host: \"::1\"}\n", "", {"(customers[2].route.host)", "missing"}},
    {"port: 2526", "port: ~70000", {"(customers[1].route.port)", "1 to 65535"}},
    {"connections: 7", "connections: ~1001", {"(customers[1].route.connections)", "1 to 1000"}},
    {"connect_timeout: 3s",
     "connect_timeout: ~6m",
     {"(customers[1].route.connect_timeout)", "100ms to 5m"}},
    {"command_timeout: 20s",
     "command_timeout: ~20 s",
     {"(customers[1].route.command_timeout)", "1s to 1h"}},
    {"data_timeout: 400s", "data_timeout: ~2h", {"(customers[1].route.data_timeout)", "1s to 1h"}},
    {"data_timeout: 400s",
     "data_timeout: ~479s",
     {"(customers[1].route.data_timeout)", "of 480 s less scanner.time_limit of 1 s leaves 478 s"}},
    {"idle_timeout: 250ms",
     "idle_timeout: ~forever",
     {"(customers[1].route.idle_timeout)", "100ms to 1h"}},
    {"{host: \"::1\"}", "{~hosts: \"::1\"}", {"(customers[2].route.hosts)", "unknown key"}},
    {"{host: \"::1\"}", "~\"::1\"", {"(customers[2].route)", "a mapping with keys"}},
    {"host: 192.0.2.7", "host: ~192.0.2", {"(customers[3].route.servers[2].host)", "IP address"}},
    {"port: 2527", "port: ~0", {"(customers[3].route.servers[1].port)", "1 to 65535"}},
    {"{host: 192.0.2.7}", "~{port: 7}", {"(customers[3].route.servers[2].host)", "missing"}},
    {"{host: 192.0.2.7}", "~192.0.2.7", {"(customers[3].route.servers[2])", "a mapping with keys"}},
    {"servers:\n        - {host: first.example.org, port: 2527}\n        - {host: 192.0.2.7}",
     "servers: ~[]",
     {"(customers[3].route.servers)", "too few entries"}},
    {"      servers:\n",
     "      ~host: a.org\n      servers:\n",
     {"(customers[3].route.host)", "beside"}},
};

static const struct breakage yaml_cases[] = {
    {"log: {format: json}", "log: {format: json\nports~: [}", {"not YAML", "mend"}},
    {"    mtu: 1400", "~\tmtu: 1400", {"not YAML: a tab", "blanks"}},
    {"# Every", "~\xef\xbb\xbf# Every", {"byte order mark (BOM)", "UTF-8 without"}},
    {"# Every", "~\xff\xfe# Every", {"UTF-16", "save it as UTF-8"}},
    {"hostname: MX1.example.org", "hostname: ~\"a\\nb\"", {"control character", "one line"}},
    {"hostname: MX1.example.org", "hostname: ~\"a\\0b\"", {"control character", "one line"}},
    {"hostname: MX1", "hostname: ~\x01MX1", {"not readable as YAML", "printable UTF-8"}},
    {"hostname: MX1", "hostname: ~\xffMX1", {"not readable as YAML", "printable UTF-8"}},
    {"hostname: MX1.example.org\n", "? ~[a]\n: b\n", {"where a key belongs", "write a name"}},
    {"kind: tap\n    interface: postern0", "kind: &k tap\n    ~interface: *k", {"alias", "out"}},
    {"  workers: 2-4,8", "  workers: ~*w", {"not YAML", "undefined alias"}},
    {"customers:\n", "~---\ncustomers:\n", {"second YAML document", "one only"}},
};

struct group {
    const struct breakage *cases;
    unsigned count;
};

#define GROUP(cases)                                \
    {                                               \
        (cases), sizeof(cases) / sizeof((cases)[0]) \
    }
static const struct group groups[] = {
    GROUP(top_cases),      GROUP(port_cases),    GROUP(core_and_memory_cases),
    GROUP(limit_cases),    GROUP(scanner_cases), GROUP(prefilter_cases),
    GROUP(customer_cases), GROUP(route_cases),   GROUP(yaml_cases),
};

/* Takes the mark out of `text`; its place from 1, or 0 0 when there is none. */
static void take_mark(char *text, unsigned *line, unsigned *column)
{
    char *mark = strchr(text, '~');

    *line = 0;
    *column = 0;
    if (!mark)
        return;
    *line = 1;
    *column = 1;
    for (const char *at = text; at < mark; at++) {
        ++*column;
        if (*at == '\n') {
            ++*line;
            *column = 1;
        }
    }
    memmove(mark, mark + 1, strlen(mark));
}

static void check_case(const struct breakage *breakage)
{
    char *text = sample_replace(sample_full, breakage->good, breakage->broken);
    struct config *config = NULL;
    struct config_error error;
    char place[128];
    unsigned line = 0;
    unsigned column = 0;

    take_mark(text, &line, &column);
    if (sample_load(text, strlen(text), &config, &error) != STATUS_BAD_CONFIG)
        fail_msg("accepted or wrong status: %s", breakage->broken);
    assert_null(config);
    if (line > 0 && (error.line != line || error.column != column))
        fail_msg("expected at %u:%u: %s", line, column, error.text);
    snprintf(place, sizeof(place), "%s:%u:%u: ", sample_path(), error.line, error.column);
    assert_true(error.line > 0 && error.column > 0);
    assert_memory_equal(error.text, place, strlen(place));
    for (unsigned i = 0; i < 2; i++)
        if (!strstr(error.text, breakage->pieces[i]))
            fail_msg("\"%s\" is not in \"%s\"", breakage->pieces[i], error.text);
    assert_null(strchr(error.text, '\n'));
    free(text);
}

static void each_breakage_is_reported_where_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (unsigned j = 0; j < groups[i].count; j++)
            check_case(&groups[i].cases[j]);
}

static bool has_case(const char *prefix, const char *key)
{
    char piece[96];

    snprintf(piece, sizeof(piece), "(%s%s%s)", prefix, prefix[0] && key[0] ? "." : "", key);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (unsigned j = 0; j < groups[i].count; j++)
            if (strcmp(groups[i].cases[j].pieces[0], piece) == 0)
                return true;
    return false;
}

/* Each key below `group`, whose own path is `prefix`; entries of lists by any of their numbers. */
static bool has_case_below(const char *prefix, const char *key)
{
    char path[128];
    const char *list = strchr(prefix, '*');

    if (!list)
        return has_case(prefix, key);
    for (unsigned i = 1; i <= 3; i++) {
        snprintf(path, sizeof(path), "%.*s%u%s", (int)(list - prefix), prefix, i, list + 1);
        if (has_case_below(path, key))
            return true;
    }
    return false;
}

static void check_group(const struct schema_group *group, const char *prefix)
{
    char path[128];

    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];

        if (!key->group && !key->entry && !has_case_below(prefix, key->name))
            fail_msg("no case breaks %s.%s", prefix, key->name);
        snprintf(path, sizeof(path), "%s%s%s%s", prefix, prefix[0] ? "." : "", key->name,
                 key->type == SCHEMA_LIST ? "[*]" : "");
        if (key->entry && !has_case_below(path, ""))
            fail_msg("no case breaks an entry of %s", path);
        if (key->group && strcmp(path, "customers[*].unscannable") != 0)
            check_group(key->group, path);
    }
}

static void each_key_of_the_schema_is_broken_once(void **state)
{
    (void)state;
    check_group(&schema_file, "");
}

/* Among the errors of `text` is this one. */
static void refuse(const char *text, unsigned line, unsigned column, const char *piece)
{
    struct config *config = NULL;
    struct config_errors errors;

    assert_int_equal(sample_load_all(text, strlen(text), &config, &errors), STATUS_BAD_CONFIG);
    assert_null(config);
    for (unsigned i = 0; i < errors.count; i++)
        if (errors.list[i].line == line && errors.list[i].column == column &&
            strstr(errors.list[i].text, piece))
            return;
    fail_msg("expected %u:%u \"%s\": %s", line, column, piece, errors.list[0].text);
}

static void files_without_content_are_refused(void **state)
{
    (void)state;
    refuse("", 1, 1, "the file is empty");
    refuse("# nothing\n\n", 1, 1, "the file is empty");
    refuse("- a\n", 1, 1, "a list where a mapping with keys belongs (the whole file)");
    refuse("postern\n", 1, 1, "a single value where a mapping");
    refuse("hostname: a.org\n", 1, 1, "ports is missing (ports)");
    refuse("hostname: a.org\nports:\n  - {kind: tap, interface: a, address: 10.0.0.1/8}\n", 1, 1,
           "customers is missing (customers)");
    refuse("hostname: a.org\nports: []\n", 2, 8, "too few entries (ports); write 1 to 8");
}

static void ports_are_at_most_eight(void **state)
{
    char text[1024] = "hostname: a.org\nports:\n";

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used,
                 "  - {kind: tap, interface: a%u, address: 10.0.0.%u/8}\n", i, i + 1);
    }
    refuse(text, 3, 3, "too many entries (ports); write 1 to 8");
}

/* As the operator wrote it, so that one look at the file mends all. */
static void all_errors_are_told_at_once(void **state)
{
    struct config *config = NULL;
    struct config_errors errors;
    static const char text[] =
        "hostname: a.org\nlog: {fromat: json}\nports:\n  - {kind: tun, mtu: 9}\n"
        "limits:\n  window: 1K\n";

    (void)state;
    assert_int_equal(sample_load_all(text, strlen(text), &config, &errors), STATUS_BAD_CONFIG);
    assert_int_equal(errors.count, 6);
    assert_int_equal(errors.omitted, 0);
    assert_non_null(strstr(errors.list[0].text, ":1:1: customers is missing"));
    assert_non_null(strstr(errors.list[1].text, ":2:7: unknown key \"fromat\""));
    assert_non_null(strstr(errors.list[2].text, ":4:5: address is missing (ports[1].address)"));
    assert_non_null(strstr(errors.list[3].text, ":4:12: \"tun\""));
    assert_non_null(strstr(errors.list[4].text, ":4:22: \"9\""));
    assert_non_null(strstr(errors.list[5].text, ":6:11: \"1K\""));
}

static void errors_are_bounded(void **state)
{
    struct config *config = NULL;
    struct config_errors errors;
    char text[1024];
    int used = snprintf(text, sizeof(text), "%s", sample_minimal);

    (void)state;
    for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, "unknown%u: 1\n", i);
    assert_int_equal(sample_load_all(text, (size_t)used, &config, &errors), STATUS_BAD_CONFIG);
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
    assert_int_equal(errors.omitted, 5);
}

/* What a later format means by its keys is not for us to say. */
static void an_unknown_version_is_the_only_error(void **state)
{
    struct config *config = NULL;
    struct config_errors errors;
    static const char text[] = "version: 2\nlisteners: []\n";

    (void)state;
    assert_int_equal(sample_load_all(text, strlen(text), &config, &errors), STATUS_BAD_CONFIG);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.list[0].text, ":1:10: \"2\" is not valid (version); write 1"));
}

static void distances_count_changes(void **state)
{
    (void)state;
    assert_int_equal(unknown_distance("limit", "limit"), 0);
    assert_int_equal(unknown_distance("mian", "main"), 1);
    assert_int_equal(unknown_distance("host", "hosts"), 1);
    assert_int_equal(unknown_distance("", "abc"), 3);
    assert_int_equal(unknown_distance("kitten", "sitting"), 3);
    assert_true(unknown_distance("user", "group") > 2);
}

/* Where only one of two related keys is written, the complaint points at that one. */
static void defaults_are_held_against_written_values(void **state)
{
    char text[1024];

    (void)state;
    snprintf(text, sizeof(text), "%slimits: {message_size: 65M}\n", sample_minimal);
    refuse(text, 8, 24, "too little for 4 messages of 65M (memory.messages); write at least 260M");
    snprintf(text, sizeof(text), "%sscanner: {time_limit: 10m}\n", sample_minimal);
    refuse(text, 8, 23, "less than scanner.time_limit (limits.verdict_timeout)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_breakage_is_reported_where_it_is),
        cmocka_unit_test(each_key_of_the_schema_is_broken_once),
        cmocka_unit_test(files_without_content_are_refused),
        cmocka_unit_test(ports_are_at_most_eight),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(an_unknown_version_is_the_only_error),
        cmocka_unit_test(distances_count_changes),
        cmocka_unit_test(defaults_are_held_against_written_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
