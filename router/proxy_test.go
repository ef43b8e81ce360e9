package router_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"renga"
	"renga/router"
)

// echoHeaders answers with the request as the dyno got it.
func echoHeaders(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	_ = r.Header.Write(w)
}

func TestHeadersToTheDyno(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, echoHeaders))
	const id = "client-chosen-id-0123456789"
	for _, test := range []struct {
		name       string
		send, want map[string]string // want is a pattern; "-" means not there
	}{
		{"nothing sent", nil, map[string]string{
			"X-Forwarded-For": `127\.0\.0\.1`, "X-Forwarded-Proto": "http", "X-Forwarded-Port": "80",
			"X-Request-Id": `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "X-Request-Start": `\d{13}`,
			"Via": `1\.1 renga`, "X-Forwarded-Host": "-", "Forwarded": "-", "Accept-Encoding": "-",
		}},
		{"earlier proxies are kept at the left", map[string]string{"X-Forwarded-For": "1.2.3.4, 5.6.7.8", "Via": "1.0 cdn"},
			map[string]string{
				"X-Forwarded-For": `1\.2\.3\.4, 5\.6\.7\.8, 127\.0\.0\.1`, "Via": `1\.0 cdn, 1\.1 renga`,
			}},
		{"what the router knows better is replaced", map[string]string{
			"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "X-Request-Start": "1",
		}, map[string]string{
			"X-Forwarded-Proto": "http", "X-Forwarded-Port": "80", "X-Request-Start": `\d{13}`,
		}},
		{"a valid request id is kept", map[string]string{"X-Request-Id": id}, map[string]string{"X-Request-Id": id}},
		{
			"an invalid request id is replaced", map[string]string{"X-Request-Id": "short"},
			map[string]string{"X-Request-Id": `[0-9a-f-]{36}`},
		},
		{"what Heroku passes on is passed on", map[string]string{
			"X-Forwarded-Host": "cdn.example", "Forwarded": "for=1.2.3.4",
		}, map[string]string{
			"X-Forwarded-Host": `cdn\.example`, "Forwarded": `for=1\.2\.3\.4`,
		}},
		{"hop-by-hop headers end here", map[string]string{
			"Connection": "close, X-Secret", "X-Secret": "1", "Keep-Alive": "5", "Te": "gzip", "Proxy-Authorization": "x",
		}, map[string]string{
			"Connection": "-", "X-Secret": "-", "Keep-Alive": "-", "Te": "-", "Proxy-Authorization": "-",
		}},
		{"the client's own are left alone", map[string]string{
			"User-Agent": "", "Accept-Encoding": "br", "Cookie": "a=b; c=d",
		}, map[string]string{
			"User-Agent": "-", "Accept-Encoding": "br", "Cookie": "a=b; c=d",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := f.request(t, http.MethodGet, "/", nil)
			for k, v := range test.send {
				r.Header.Set(k, v)
			}
			_, body := f.do(t, r)
			_, head, _ := strings.Cut(body, "\n")
			got, err := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\r\n\r\n"))).ReadMIMEHeader()
			if err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			for k, pattern := range test.want {
				v, there := got[k]
				switch {
				case pattern == "-" && there:
					t.Errorf("%s is %q, want none", k, v)
				case pattern != "-" && (len(v) != 1 || !regexp.MustCompile("^"+pattern+"$").MatchString(v[0])):
					t.Errorf("%s is %q, want %s", k, v, pattern)
				}
			}
		})
	}
}

func TestHostHeaderPassesAndItsPortIsForwarded(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, echoHeaders))
	r := f.request(t, http.MethodGet, "/", nil)
	r.Host = "SHOP.renga.localhost:5000"
	_, body := f.do(t, r)
	if !strings.Contains(body, "Host: SHOP.renga.localhost:5000\n") ||
		!strings.Contains(body, "X-Forwarded-Port: 5000\r\n") {
		t.Errorf("the dyno got\n%s", body)
	}
}

func TestRequestStartIsInMilliseconds(t *testing.T) {
	f := newFixture(t, router.Options{Now: func() time.Time { return time.UnixMilli(1700000000123) }})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Request-Start"))
	}))
	if _, body := f.get(t, "/"); body != "1700000000123" {
		t.Errorf("X-Request-Start is %q", body)
	}
}

func TestAnswersHeadersAreKept(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h["Server"] = []string{"app"}
		h["Via"] = []string{"1.1 inner"}
		h["Content-Type"] = nil
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<html>")
	}))
	res, _ := f.get(t, "/")
	if res.StatusCode != http.StatusTeapot || res.Header.Get("Server") != "app" || len(res.Header["Set-Cookie"]) != 2 {
		t.Errorf("answer is %d %v", res.StatusCode, res.Header)
	}
	if via := res.Header["Via"]; !slices.Equal(via, []string{"1.1 inner", "1.1 renga"}) {
		t.Errorf("Via is %q", via)
	}
	if ct, there := res.Header["Content-Type"]; there {
		t.Errorf("a Content-Type was invented: %q", ct)
	}
}

func TestPathAndQueryPassByteForByte(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, echoHeaders))
	for _, target := range []string{
		"/", "/a%2Fb%2fc", "/a//b/../c/", "//double", "/%7Etilde/~tilde", "/plus+and%20space", "/ümlaut", "/a[b]|c\"<>^`{}",
		"/?", "/?a=1;b=2", "/?a=%zz&b=%", "/?x=1&x=2&&=&y", "/p?redirect=http://x/?y#", "/;v=1/x,y",
		"/?" + strings.Repeat("k&", 4000),
	} {
		c := f.dial(t)
		c.send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		if got := strings.TrimPrefix(line, "GET "); got != target {
			t.Errorf("the dyno got %.80q, want %.80q", got, target)
		}
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Announced", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	}))
	r := f.request(t, http.MethodPost, "/", struct{ io.Reader }{strings.NewReader("body")})
	r.Trailer = http.Header{"X-Sum": {"42"}}
	res, _ := f.do(t, r)
	if res.Trailer.Get("X-Announced") != "42" || res.Trailer.Get("X-Late") != "late" {
		t.Errorf("trailers are %v", res.Trailer)
	}
}

func TestEarlyHintsPass(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "done")
	}))
	var hints []string
	r := f.request(t, http.MethodGet, "/", nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h.Get("Link")))
			return nil
		},
	}))
	res, body := f.do(t, r)
	if !slices.Equal(hints, []string{"103</style.css>"}) || body != "done" || res.Header.Get("Link") != "" {
		t.Errorf("hints %q, answer %q %v", hints, body, res.Header)
	}
	if rec := f.record(t); rec.Status != http.StatusOK {
		t.Errorf("record says %d", rec.Status)
	}
}

func TestHeadHasTheLengthAndNoBody(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1234") }))
	res, body := f.do(t, f.request(t, http.MethodHead, "/", nil))
	if res.ContentLength != 1234 || body != "" {
		t.Errorf("answer has length %d, body %q", res.ContentLength, body)
	}
	f.Route(idle("blank"))
	if res, body := f.do(t, f.request(t, http.MethodHead, "/", nil)); res.StatusCode != 503 || body != "" {
		t.Errorf("page for HEAD is %d %q", res.StatusCode, body)
	}
}

func TestExpectContinueIsAnsweredByTheRouter(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %q", b, r.Header.Get("Expect"))
	}))
	c := f.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := c.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.send("body")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != `body ""` {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestConnectIsRefused(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("tunnel")))
	c := f.dial(t)
	c.send("CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + ":443\r\n\r\n")
	if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("answer is %+v, %v", res, err)
	}
}

func TestOtherExpectationsAreRefused(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, says("ok")))
	r := f.request(t, http.MethodGet, "/", nil)
	r.Header.Set("Expect", "the-unexpected")
	if res, _ := f.do(t, r); res.StatusCode != http.StatusExpectationFailed {
		t.Errorf("answer is %d, want 417", res.StatusCode)
	}
}

func TestAmbiguousFramingReachesNoDyno(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s length=%d", b, r.ContentLength)
	}))
	for head, want := range map[string]string{
		// Chunked wins, and the dyno is told nothing else (RFC 9112, 6.1).
		"Content-Length: 30\r\nTransfer-Encoding: chunked": "200 abc length=-1",
		"Content-Length: 3\r\nContent-Length: 4":           "400",
		"Transfer-Encoding: chunked, identity":             "501",
		"Transfer-Encoding: \x0bchunked":                   "400",
	} {
		c := f.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\n" + head + "\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		b, err := io.ReadAll(io.LimitReader(res.Body, 100))
		if got := fmt.Sprintf("%d %s", res.StatusCode, b); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, %v, want %q", head, got, err, want)
		}
	}
}

func TestUnreadBodyDoesNotHarmTheConnection(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	c := f.dial(t)
	for i := range 200 {
		c.send("POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", 60000))
		res, err := http.ReadResponse(c.r, nil)
		r := f.record(t)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("request %d: %v, %v, %+v", i, res, err, r)
		}
	}
}

func TestATrustedProxyIsBelieved(t *testing.T) {
	for _, test := range []struct {
		name, trusted, proto, port string
		want                       string // what the dyno gets
		client                     string // in the router's line
		tls                        bool
	}{
		{
			"somebody", "10.0.0.0/8", "https", "8443", "For: 6.6.6.6, 1.2.3.4, 127.0.0.1, Proto: http, Port: 80",
			"6.6.6.6, 1.2.3.4, 127.0.0.1", false,
		},
		{
			"the balancer", "127.0.0.0/8", "https", "8443", "For: 6.6.6.6, 1.2.3.4, 127.0.0.1, Proto: https, Port: 8443",
			"1.2.3.4", true,
		},
		{
			"one that says no port", "127.0.0.0/8", "http, https", "",
			"For: 6.6.6.6, 1.2.3.4, 127.0.0.1, Proto: https, Port: 443", "1.2.3.4", true,
		},
		{
			"one that sends nonsense", "127.0.0.0/8", "gopher", "70000",
			"For: 6.6.6.6, 1.2.3.4, 127.0.0.1, Proto: http, Port: 80", "1.2.3.4", false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, router.Options{Trusted: renga.Proxies{netip.MustParsePrefix(test.trusted)}})
			f.serve(backend(t, func(w http.ResponseWriter, r *http.Request) {
				h := r.Header
				fmt.Fprintf(w, "For: %s, Proto: %s, Port: %s", h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"),
					h.Get("X-Forwarded-Port"))
			}))
			r := f.request(t, http.MethodGet, "/", nil)
			r.Header.Set("X-Forwarded-For", "6.6.6.6, 1.2.3.4")
			r.Header.Set("X-Forwarded-Proto", test.proto)
			r.Header.Set("X-Forwarded-Port", test.port)
			if _, body := f.do(t, r); body != test.want {
				t.Errorf("the dyno got %q, want %q", body, test.want)
			}
			if record := f.record(t); record.Forwarded != test.client || record.TLS != test.tls {
				t.Errorf("the line says fwd=%q, tls %t, want %q, %t", record.Forwarded, record.TLS, test.client, test.tls)
			}
		})
	}
}
