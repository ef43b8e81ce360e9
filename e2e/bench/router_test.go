package bench_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	routerRounds  = 3
	routerSeconds = 2
	routerClients = 64
)

// contender is something that answers for hello's dyno: a proxy, or the dyno
// itself.
type contender struct {
	name, addr string
}

// BenchmarkRouter loads the router, nginx and Caddy in turns, in short rounds,
// and the dyno directly: the same dyno, the same client, the same hosts, each
// proxy with a log of all requests. All share the machine's processors with the
// client and the dyno.
func BenchmarkRouter(b *testing.B) {
	w := start(b)
	w.push("hello", "router")
	w.served("hello", "router")
	dyno := w.dynoAddr("hello")
	made := 1
	for _, apps := range []int{1, 10, 1000} {
		for ; made < apps; made++ {
			w.ask(http.MethodPost, "/apps", map[string]any{"name": appName(made)})
		}
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			w := platform{w.Platform, b, w.token}
			all := []contender{
				{"renga", w.Addr}, {"nginx", w.nginx(b, apps, dyno)}, {"caddy", w.caddy(b, apps, dyno)}, {"direct", dyno},
			}
			for _, size := range []int{20, 100 << 10} {
				b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) { compete(b, w, all, size) })
			}
		})
	}
}

// dynoAddr is where the app's only dyno listens.
func (w platform) dynoAddr(app string) string {
	w.b.Helper()
	w.alone(app, 1)
	all, err := w.Containers(w.b.Context(), app)
	w.must(err)
	ip, err := w.Docker(w.b.Context(), "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", all[0].ID)
	w.must(err)
	return net.JoinHostPort(strings.TrimSpace(ip), "8080")
}

// compete lets everybody have its rounds, and reports the median of each figure.
func compete(b *testing.B, w platform, all []contender, size int) {
	found := map[string][]sample{}
	for round := range routerRounds + 1 {
		for _, c := range all {
			s := wrk(b, c, w.Host("hello"), size)
			if round > 0 { // the first only warms up
				found[c.name] = append(found[c.name], s)
			}
		}
	}
	median := func(name string, of func(sample) float64) float64 {
		var values []float64
		for _, s := range found[name] {
			values = append(values, of(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	perSecond := func(s sample) float64 { return s.perSecond }
	for _, c := range all {
		figures.add(b, c.name+"-rps", median(c.name, perSecond), 0)
		figures.add(b, c.name+"-p50-ms", median(c.name, func(s sample) float64 { return s.p50 }), 0)
		figures.add(b, c.name+"-p99-ms", median(c.name, func(s sample) float64 { return s.p99 }), 0)
		figures.add(b, c.name+"-p999-ms", median(c.name, func(s sample) float64 { return s.p999 }), 0)
	}
	for _, other := range []string{"caddy", "nginx", "direct"} {
		figures.add(b, "rps-to-"+other, median("renga", perSecond)/median(other, perSecond), 0)
	}
}

// sample is one round; times are in milliseconds.
type sample struct{ perSecond, p50, p99, p999 float64 }

// wrkScript has wrk print what its own summary leaves out. Times are in
// microseconds.
const wrkScript = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("sample %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), e.connect + e.read + e.write + e.status + e.timeout))
end`

// wrk is one round against a contender. A failed request of Renga's ends the
// benchmark.
func wrk(b *testing.B, c contender, host string, size int) sample {
	b.Helper()
	script := filepath.Join(b.TempDir(), "sample.lua")
	if err := os.WriteFile(script, []byte(wrkScript), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.CommandContext(b.Context(), "wrk", "--threads", "1", "--connections", fmt.Sprint(routerClients),
		"--duration", fmt.Sprintf("%ds", routerSeconds), "--script", script, "--header", "Host: "+host,
		fmt.Sprintf("http://%s/bytes?n=%d", c.addr, size)).CombinedOutput()
	if err != nil {
		b.Fatalf("wrk (make bench installs it): %v\n%s", err, out)
	}
	_, line, _ := strings.Cut(string(out), "sample ")
	var requests, took, p50, p99, p999, failed float64
	if _, err := fmt.Sscan(line, &requests, &took, &p50, &p99, &p999, &failed); err != nil {
		b.Fatalf("read what wrk says: %v\n%s", err, out)
	}
	if requests == 0 || failed > 0 && c.name == "renga" {
		b.Fatalf("%s failed %.0f of %.0f requests", c.name, failed, requests)
	}
	if failed > 0 {
		b.Logf("%s failed %.0f of %.0f requests", c.name, failed, requests)
	}
	return sample{requests / took * 1e6, p50 / 1000, p99 / 1000, p999 / 1000}
}

// hosts are those of so many apps; hello's is the last.
func (w platform) hosts(apps int) []string {
	var all []string
	for n := 1; n < apps; n++ {
		all = append(all, w.Host(appName(n)))
	}
	return append(all, w.Host("hello"))
}

// nginx starts one with a server for each host and gives its address.
func (w platform) nginx(b *testing.B, apps int, dyno string) string {
	dir, addr := b.TempDir(), freeAddr(b)
	var conf strings.Builder
	fmt.Fprintf(&conf, `user root; daemon off; worker_processes auto; pid %[1]s/pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log %[1]s/access.log combined buffer=32k;
  server_names_hash_max_size 8192; server_names_hash_bucket_size 128;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  keepalive_requests 1000000000;
  upstream dyno { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
`, dir, dyno)
	for _, host := range w.hosts(apps) {
		fmt.Fprintf(&conf, `  server {
    listen %s; server_name %s;
    location / {
      proxy_pass http://dyno; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id;
    }
  }
`, addr, host)
	}
	conf.WriteString("}\n")
	return w.serves(b, addr, dir, "nginx.conf", conf.String(), "/usr/sbin/nginx", "-p", dir, "-c")
}

// caddy starts one with all hosts on one site and gives its address: Caddy tries
// its sites one after the other, and would be measured at that.
func (w platform) caddy(b *testing.B, apps int, dyno string) string {
	dir, addr := b.TempDir(), freeAddr(b)
	var sites []string
	for _, host := range w.hosts(apps) {
		sites = append(sites, "http://"+net.JoinHostPort(host, portOf(addr)))
	}
	conf := fmt.Sprintf(`{
  admin off
  auto_https off
}
%s {
  bind 127.0.0.1
  log {
    output file %s/access.log
  }
  reverse_proxy %s {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`, strings.Join(sites, ", "), dir, dyno)
	return w.serves(b, addr, dir, "Caddyfile", conf, "caddy", "run", "--adapter", "caddyfile", "--config")
}

// serves starts a proxy with a configuration, its last argument, until the
// benchmark ends, and waits until it answers for the app.
func (w platform) serves(b *testing.B, addr, dir, name, conf, program string, args ...string) string {
	b.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	cmd := exec.CommandContext(ctx, program, append(args, file)...)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		b.Fatalf("start %s (make bench installs it): %v", program, err)
	}
	b.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was told to end
	})
	w.until(func(ctx context.Context) bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/bytes?n=1", nil)
		if err != nil {
			return false
		}
		r.Host = w.Host("hello")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		_ = res.Body.Close() // only the status counts
		return res.StatusCode == http.StatusOK
	}, program+" answers")
	return addr
}

// freeAddr is an address that nobody listens on.
func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it was only asked for its port
	return l.Addr().String()
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr) // a listener's
	return port
}
