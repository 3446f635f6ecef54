#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/check.h"

const char sample_full[] = "# Every key once.\n"
                           "hostname: MX1.example.org\n"
                           "version: 1\n"
                           "postmaster: Admin@example.net\n"
                           "runtime_directory: /run/other\n"
                           "state_directory: /var/lib/other\n"
                           "log: {format: json}\n"
                           "ports:\n"
                           "  - kind: tap\n"
                           "    interface: postern0\n"
                           "    namespace: mail\n"
                           "    mac: \"02:00:00:00:00:1F\"\n"
                           "    address: 198.18.0.2/24\n"
                           "    address6: \"2001:db8::2/64\"\n"
                           "    exception_interface: host0\n"
                           "    exception_namespace: host\n"
                           "    smtp_port: 2525\n"
                           "    mtu: 1400\n"
                           "    spreading: software\n"
                           "    rx_checksum: trust\n"
                           "  - kind: pci\n"
                           "    pci_address: \"0000:0A:00.1\"\n"
                           "    address: 198.18.1.2/31\n"
                           "    spreading: rss\n"
                           "  - kind: af_packet\n"
                           "    interface: veth1\n"
                           "    address: 198.18.2.2/32\n"
                           "cores:\n"
                           "  main: 1\n"
                           "  workers: 2-4,8\n"
                           "  scanners: 5,6\n"
                           "  control: 0-1\n"
                           "  idle: poll\n"
                           "memory: {hugepages: required, messages: 1G, packets: 64M}\n"
                           "limits:\n"
                           "  message_size: 20M\n"
                           "  recipients: 100\n"
                           "  connections: 500\n"
                           "  connections_per_client: 50\n"
                           "  connections_per_prefix: 300\n"
                           "  connection_rate: 10\n"
                           "  data_rate: 1000\n"
                           "  messages_in_progress: 256\n"
                           "  bad_commands: 5\n"
                           "  invalid_recipients_per_hour: 40\n"
                           "  received_fields: 30\n"
                           "  window: 64K\n"
                           "  admission_wait: 20s\n"
                           "  command_timeout: 2m\n"
                           "  data_timeout: 90s\n"
                           "  verdict_timeout: 8m\n"
                           "smtp:\n"
                           "  strict_addresses: yes\n"
                           "  forbidden_commands: GET put\n"
                           "scanner:\n"
                           "  processes: 3\n"
                           "  database: /srv/clamav\n"
                           "  user: scan_user\n"
                           "  time_limit: 1500ms\n"
                           "  scan_size: 200M\n"
                           "  memory: 3G\n"
                           "  files: 500\n"
                           "  recursion: 9\n"
                           "prefilter:\n"
                           "  use: no\n"
                           "  file: /srv/prefilter\n"
                           "  cache_size: 1M\n"
                           "  message_size: 10M\n"
                           "  inspections: 9\n"
                           "control: {user: relay}\n"
                           "unscannable:\n"
                           "  encrypted: reject\n"
                           "  limit: reject\n"
                           "  partial: reject\n"
                           "  failed: reject\n"
                           "customers:\n"
                           "  - name: example\n"
                           "    domains: [example.org, Example.NET]\n"
                           "    recipients: [Alice, bob@example.net]\n"
                           "    unscannable: reject\n"
                           "    route:\n"
                           "      host: relay.example.org\n"
                           "      port: 2526\n"
                           "      connections: 7\n"
                           "      connect_timeout: 3s\n"
                           "      command_timeout: 20s\n"
                           "      data_timeout: 400s\n"
                           "      idle_timeout: 250ms\n"
                           "  - name: other\n"
                           "    domains:\n"
                           "      - example.com\n"
                           "    unscannable: deliver\n"
                           "    route: {host: \"::1\"}\n"
                           "  - name: third\n"
                           "    domains: [example.edu]\n"
                           "    unscannable: {encrypted: deliver, unsupported: defer}\n"
                           "    route:\n"
                           "      servers:\n"
                           "        - {host: first.example.org, port: 2527}\n"
                           "        - {host: 192.0.2.7}\n"
                           "      connections: 3\n";

const char sample_minimal[] = "hostname: mx1.example.org\n"
                              "ports:\n"
                              "  - {kind: tap, interface: postern0, address: 198.18.0.2/24}\n"
                              "customers:\n"
                              "  - name: example\n"
                              "    domains: [example.org]\n"
                              "    route: {host: 127.0.0.1}\n";

/* In memory: thousands of files a second would wear on a disk for nothing. */
static int file = -1;

const char *sample_path(void)
{
    static char path[64];

    if (file < 0) {
        file = memfd_create("postern.yaml", MFD_CLOEXEC);
        CHECK(file >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    return path;
}

static const char *fill(const char *text, size_t size)
{
    const char *path = sample_path();

    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, text, size, 0) == (ssize_t)size);
    return path;
}

enum status sample_load(const char *text, size_t size, struct config **config,
                        struct config_error *error)
{
    return config_load(fill(text, size), config, error);
}

enum status sample_load_all(const char *text, size_t size, struct config **config,
                            struct config_errors *errors)
{
    return config_load_all(fill(text, size), config, errors);
}

char *sample_replace(const char *text, const char *old, const char *replacement)
{
    const char *at = strstr(text, old);
    char *result = NULL;

    if (!at)
        fprintf(stderr, "not in the sample: %s\n", old);
    CHECK(at);
    CHECK(asprintf(&result, "%.*s%s%s", (int)(at - text), text, replacement, at + strlen(old)) > 0);
    return result;
}
