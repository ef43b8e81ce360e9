package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"renga"
	"renga/children"
	"renga/store"
	"renga/store/storetest"
)

const secret = "pa55-marker"

// tryEverything is what every way to reach Redis must be able to do.
func tryEverything(t *testing.T, url string) {
	t.Helper()
	s := open(t, url)
	check(t, s.Adopt(t.Context(), platform, true))
	check(t, s.EnsureAccount(t.Context(), renga.Account{ID: "a"}, "token"))
	for _, name := range []string{"haiku", "tanka", "senryu", "renku"} { // in several slots of a Cluster
		a := createApp(t, s, name)
		commit(t, s, a.ID, 2)
		setStatus(t, s, a.ID, 2, renga.Succeeded)
		_, err := s.SetFormation(t.Context(), a.ID, func(f renga.Formation) error { delete(f, renga.Web); return nil })
		check(t, err)
		check(t, s.SaveDynos(t.Context(), a.ID, []renga.Dyno{{ID: "d"}}))
		d, err := s.Desired(t.Context(), a.ID)
		check(t, err)
		if version(d.Live) != 2 {
			t.Fatalf("%+v", d)
		}
	}
	apps, err := s.Apps(t.Context())
	check(t, err)
	if len(apps) != 4 {
		t.Fatalf("apps %+v", apps)
	}
	check(t, s.RemoveApp(t.Context(), apps[0].ID))
}

// openErr is the error of Open, which must not hold the password.
func openErr(t *testing.T, url string) error {
	t.Helper()
	var lines storetest.LogBuffer
	s, err := store.Open(t.Context(), store.Options{URL: url, Log: lines.Logger()})
	if err == nil {
		_ = s.Close()
		t.Fatalf("opened %s", url)
	}
	if all := err.Error() + lines.String(); strings.Contains(all, secret) {
		t.Fatalf("password in %s", all)
	}
	return err
}

func TestOpenOverTCPWithPasswordAndACLUser(t *testing.T) {
	port := freePort(t)
	p := startRedis(t, "--port", port, "--bind", "127.0.0.1", "--requirepass", secret)
	raw := redis.NewClient(&redis.Options{Addr: p.socket(), Password: secret})
	defer raw.Close()
	check(t, raw.Do(t.Context(), "acl", "setuser", "basho", "on", ">"+secret, "~renga:*", "+@read", "+@write",
		"+@transaction", "+@connection").Err())
	check(t, raw.Do(t.Context(), "acl", "setuser", "poor", "on", ">"+secret, "~other:*", "+@all").Err())

	tryEverything(t, "redis://basho:"+secret+"@127.0.0.1:"+port)
	tryEverything(t, "redis://:"+secret+"@127.0.0.1:"+port+"/3")
	tryEverything(t, "unix://basho:"+secret+"@"+p.socket()+"?db=2")

	for url, want := range map[string]string{
		"redis://basho:" + secret + "x@127.0.0.1:" + port:   "refused the user name or password",
		"redis://:" + secret + "x@127.0.0.1:" + port:        "refused the user name or password",
		"redis://127.0.0.1:" + port:                         "wants a password",
		"redis://poor:" + secret + "@127.0.0.1:" + port:     "does not allow",
		"redis://:" + secret + "@127.0.0.1:" + port + "/99": "no database of that number",
	} {
		err := openErr(t, url)
		wantKind(t, err, renga.Unavailable)
		if !strings.Contains(renga.MessageOf(err, ""), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestOpenSaysWhatIsWrongWithTheServer(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer mute.Close()
	old := func(command string) string {
		if command == "info" {
			return "$23\r\nredis_version:5.0.14\r\n\r\n"
		}
		return version7(func() string { return "$-1" })(command)
	}
	for _, test := range []struct {
		name, url string
		kind      renga.Kind
		text      string
	}{
		{"nothing listens", "redis://:" + secret + "@127.0.0.1:" + freePort(t), renga.Unavailable, "connection refused"},
		{"no socket", "unix://" + t.TempDir() + "/none", renga.Unavailable, "no such socket"},
		{"says nothing", "redis://:" + secret + "@" + mute.Addr().String(), renga.Unavailable, "timeout"},
		{"a web server", "redis://:" + secret + "@" + web.Listener.Addr().String(), renga.Invalid, "not a Redis"},
		{"too old", fake(t, old), renga.Invalid, "version 5.0.14; Renga needs 6.2"},
		{"not TLS", "rediss://:" + secret + "@" + web.Listener.Addr().String(), renga.Unavailable, "does not speak TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := openErr(t, test.url)
			wantKind(t, err, test.kind)
			if !strings.Contains(renga.MessageOf(err, ""), test.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestOpenWarnsOfSettingsThatLoseData(t *testing.T) {
	for _, test := range []struct {
		args  []string
		warns []string
	}{
		{nil, nil},
		{[]string{"--appendonly", "no"}, []string{"appendonly"}},
		{[]string{"--maxmemory-policy", "allkeys-lru"}, []string{"maxmemory-policy"}},
	} {
		var lines storetest.LogBuffer
		s, err := store.Open(t.Context(), store.Options{URL: startRedis(t, test.args...).url(), Log: lines.Logger()})
		check(t, err)
		check(t, s.Close())
		if strings.Count(lines.String(), "level=WARN") != len(test.warns) {
			t.Errorf("%v: log %s", test.args, lines.String())
		}
		for _, w := range test.warns {
			if !strings.Contains(lines.String(), "setting="+w) {
				t.Errorf("%v: log %s", test.args, lines.String())
			}
		}
	}
}

func TestOpenOverTLS(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	cert, key := selfSigned(t, dir)
	startRedis(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no", "--requirepass", secret)
	tryEverything(t, "rediss://:"+secret+"@127.0.0.1:"+port+"?skip_verify=true")
	err := openErr(t, "rediss://:"+secret+"@127.0.0.1:"+port)
	if !strings.Contains(renga.MessageOf(err, ""), "certificate") {
		t.Fatalf("unknown authority: %v", err)
	}
}

func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	check(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(k)
	check(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	return cert, key
}

func TestOpenCluster(t *testing.T) {
	var addrs []string
	args := []string{"-a", secret, "--no-auth-warning", "--cluster", "create"}
	for range 3 {
		port, bus := freePort(t), freePort(t)
		startRedis(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", bus,
			"--cluster-node-timeout", "2000", "--requirepass", secret, "--masterauth", secret)
		addrs = append(addrs, "127.0.0.1:"+port)
	}
	args = append(append(args, addrs...), "--cluster-yes")
	if out, err := exec.Command("redis-cli", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	url := "redis+cluster://:" + secret + "@" + strings.Join(addrs, ",")
	// Each node finds out by itself that all slots are served; one that has not
	// yet refuses commands.
	for _, addr := range addrs {
		storetest.Poll(t, "the cluster at "+addr, func() bool { return seesCluster(addr) })
	}
	tryEverything(t, url)
	story2 := open(t, "redis+cluster://:"+secret+"@"+addrs[0]) // one seed is enough
	apps, err := story2.Apps(t.Context())
	check(t, err)
	if len(apps) != 3 {
		t.Fatalf("apps %+v", apps)
	}
}

// seesCluster tells whether a node takes the cluster for whole.
func seesCluster(addr string) bool {
	host, port, _ := net.SplitHostPort(addr) // made by the test
	out, err := exec.Command("redis-cli", "-h", host, "-p", port, "-a", secret, "--no-auth-warning", "cluster",
		"info").Output()
	return err == nil && strings.Contains(string(out), "cluster_state:ok")
}

func TestOpenBySentinels(t *testing.T) {
	port, watch := freePort(t), freePort(t)
	startRedis(t, "--port", port, "--bind", "127.0.0.1", "--requirepass", secret)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	check(t, os.WriteFile(file, []byte("port "+watch+"\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 "+port+
		" 1\nsentinel auth-pass main "+secret+"\n"), 0o600))
	cmd := exec.Command("redis-server", file, "--sentinel")
	check(t, children.Start(cmd, syscall.SIGKILL))
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	storetest.Poll(t, "sentinel", func() bool {
		reply, err := storetest.Ping("tcp", "127.0.0.1:"+watch)
		return err == nil && reply == "+PONG"
	})

	tryEverything(t, "redis+sentinel://:"+secret+"@127.0.0.1:"+freePort(t)+",127.0.0.1:"+watch+"/main?db=1")
	err := openErr(t, "redis+sentinel://:"+secret+"@127.0.0.1:"+watch+"/other")
	wantKind(t, err, renga.Unavailable)
	if !strings.Contains(err.Error(), "No primary is known for other") {
		t.Fatal(err)
	}
}
