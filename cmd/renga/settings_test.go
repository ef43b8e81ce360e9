package main

import (
	"bytes"
	"errors"
	"flag"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parse reads settings as `renga serve` does.
func parse(t *testing.T, env map[string]string, args ...string) (Settings, error) {
	t.Helper()
	var out bytes.Buffer
	p := &program{getenv: func(k string) string { return env[k] }, out: &out, err: &out}
	s, _, err := p.parseSettings("serve", args)
	return s, err
}

func TestFlagsWinOverEnvironmentAndEnvironmentOverDefaults(t *testing.T) {
	s, err := parse(t, map[string]string{"RENGA_DOMAIN": "env.test", "RENGA_STOP_GRACE": "5s"}, "--domain", "flag.test")
	if err != nil {
		t.Fatal(err)
	}
	if s.Domain != "flag.test" || s.StopGrace != 5*time.Second || s.BootTimeout != time.Minute || !s.CreateOnPush {
		t.Errorf("settings are %+v", s)
	}
}

func TestEveryMistakeIsToldAtOnce(t *testing.T) {
	_, err := parse(t, map[string]string{"RENGA_BOOT_TIMEOUT": "soon", "RENGA_MAX_IMAGE_SIZE": "big"},
		"--domain", "Not A Domain",
		"--metrics-listen", "0.0.0.0:9",
		"--network-pool", "10.0.0.0/30",
		"--egress-allow", "10.0.0.0",
		"--trusted-proxies", "10.0.0.1/99",
		"--port", "0",
		"--log-bytes", "1kB",
		"--metrics-every", "2m",
		"--log-level", "nf",
		"--max-connections", "-1",
		"--max-connections-per-address=-1",
		"--sizes", "small=1:1",
		"--create-on-push=maybe",
		"--backups", "s3://Not_A_Bucket",
		"--listen", "nowhere")
	if err == nil {
		t.Fatal("nothing was wrong")
	}
	for _, name := range []string{
		"boot-timeout", "max-image-size", "domain", "metrics-listen", "network-pool", "egress-allow", "trusted-proxies", "--port",
		"--log-bytes", "--metrics-every", "log-level", "--sizes", "create-on-push", "--listen", "--max-connections:",
		"--max-connections-per-address:", "--backups, --s3-endpoint: ",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not told of in:\n%v", name, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 17 {
		t.Errorf("%d lines for 17 mistakes:\n%v", n, err)
	}
}

func TestHelpNamesEverySettingWithItsDefault(t *testing.T) {
	var out bytes.Buffer
	p := &program{getenv: func(string) string { return "" }, out: &out, err: &out}
	if _, _, err := p.parseSettings("serve", []string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("err %v", err)
	}
	for _, row := range table(&Settings{}) {
		if !strings.Contains(out.String(), "--"+row.flag+", "+row.env+" (default ") {
			t.Errorf("help lacks %s", row.flag)
		}
	}
}

func TestTheRegistryAddressIsReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:5000": "127.0.0.1:5000",
		"0.0.0.0:80":     "127.0.0.1:80",
		":5000":          "127.0.0.1:5000",
		"[::]:5000":      "127.0.0.1:5000",
		"localhost:1":    "localhost:1",
	} {
		s, err := parse(t, nil, "--listen", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.registryAddress(); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestTheFrontIsHTTPSWhereItIsServed(t *testing.T) {
	for _, c := range []struct{ listen, tls, scheme, port string }{
		{"127.0.0.1:5000", "127.0.0.1:443,127.0.0.1:5443", "https", ""},
		{"127.0.0.1:80", "127.0.0.1:5443", "https", "5443"},
		{"127.0.0.1:5000,127.0.0.1:80", "off", "http", "5000"},
		{"127.0.0.1:80", "off", "http", ""},
	} {
		s, err := parse(t, nil, "--listen", c.listen, "--listen-tls", c.tls)
		if err != nil {
			t.Fatal(err)
		}
		if scheme, port := s.front(); scheme != c.scheme || port != c.port {
			t.Errorf("%s, %s: %s %q", c.listen, c.tls, scheme, port)
		}
	}
}

func TestTLSSettingsThatDoNotFitAreRefused(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--tls-cert", "a.crt"}, "--tls-key"},
		{[]string{"--acme-directory", "http://ca.example/dir"}, "https URL"},
		{[]string{"--acme-directory", "letsencrypt", "--listen-tls", "off"}, "--listen-tls"},
		{[]string{"--listen-tls", "443"}, "no host:port"},
	} {
		if _, err := parse(t, nil, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestAPortThatCannotBeTakenSaysWhatToDo(t *testing.T) {
	denied := &os.SyscallError{Syscall: "bind", Err: syscall.EACCES}
	if got := remedy(denied, tlsListener); !strings.Contains(got, "CAP_NET_BIND_SERVICE") || !strings.Contains(got, "--listen-tls") {
		t.Errorf("without the right: %q", got)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // nothing was accepted
	s, err := parse(t, nil, "--listen", "127.0.0.1:0", "--listen-tls", taken.Addr().String(), "--metrics-listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), "choose another with --listen-tls") {
		t.Errorf("taken: %v", err)
	}
}

func TestSizesAreAddedAndChanged(t *testing.T) {
	s, err := parse(t, nil, "--sizes", "standard-1x=1GB:2, tiny=64MB:0.25:100MB")
	if err != nil {
		t.Fatal(err)
	}
	changed, added, kept := s.Sizes["standard-1x"], s.Sizes["tiny"], s.Sizes["eco"]
	if changed.MemoryBytes != 1<<30 || changed.DiskBytes != 2<<30 || added.CPUs != 0.25 || added.DiskBytes != 100<<20 ||
		kept.MemoryBytes != 512<<20 {
		t.Errorf("sizes are %+v", s.Sizes)
	}
	for _, bad := range []string{"x", "x=1MB", "x=512:1", "X=64MB:1", "x=64MB:0", "x=64QB:1", "x=64MB:1,"} {
		if _, err := parse(t, nil, "--sizes", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	for _, seed := range []string{"0", "1500", "512MB", "1.5GiB", "2 k", "9999999999T", "-1", "1e9", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if n, err := parseBytes(v); err == nil && n < 0 {
			t.Errorf("%q is %d bytes", v, n)
		}
	})
}

func TestBytes(t *testing.T) {
	for v, want := range map[string]int64{
		"0": 0, "1500": 1500, "512MB": 512 << 20, "512MiB": 512 << 20, "1.5G": 3 << 29, "1k": 1024, "2 Tb": 2 << 40,
	} {
		if got, err := parseBytes(v); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", v, got, err, want)
		}
	}
}
