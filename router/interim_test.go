package router_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"renga/router"
)

// interim is a dyno that says these answers before its last one, as they are.
func interim(tb testing.TB, said ...string) http.HandlerFunc {
	return hangsUp(tb, func(c net.Conn) {
		for _, one := range said {
			_, _ = io.WriteString(c, strings.ReplaceAll(one, "\n", "\r\n")+"\r\n\r\n")
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")
	})
}

const (
	continues = "HTTP/1.1 100 Continue"
	hints     = "HTTP/1.1 103 Early Hints\nLink: </a.css>\nConnection: keep-alive, X-Hop\nKeep-Alive: timeout=5\nX-Hop: " +
		"1\nUpgrade: h2c\n" +
		"Proxy-Connection: x\nTransfer-Encoding: chunked"
)

// raw sends a request and reads all that comes.
func raw(t *testing.T, f *fixture, request string) string {
	t.Helper()
	c := f.dial(t)
	c.send(request)
	var all []byte
	for !strings.HasSuffix(string(all), "done") {
		b, err := c.r.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, b)
	}
	return string(all)
}

func TestInterimAnswersPassWithoutWhatIsAboutTheConnection(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, interim(t, continues, hints, "HTTP/1.1 102 Processing", continues)))
	got := raw(t, f, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
	want := "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nVia: 1.1 renga\r\n\r\n" +
		"HTTP/1.1 102 Processing\r\nVia: 1.1 renga\r\n\r\nHTTP/1.1 200 OK\r\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("the client got\n%s\nwant first\n%s", got, want)
	}
	if r := f.record(t); r.Status != http.StatusOK || r.Code != "" {
		t.Errorf("record is %+v", r)
	}
}

func TestHTTP10GetsNoInterimAnswer(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, interim(t, continues, hints)))
	if got := raw(t, f, "GET / HTTP/1.0\r\nHost: "+host+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") {
		t.Errorf("the client got\n%s", got)
	}
}

func TestInterimAnswersDoNotBreakHTTP2(t *testing.T) {
	rt := router.New(router.Options{})
	s := httptest.NewUnstartedServer(rt)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	r := route(backend(t, interim(t, hints)))
	r.Hosts = append(r.Hosts, "127.0.0.1")
	rt.Route(r)
	transport := s.Client().Transport.(*http.Transport)
	defer transport.CloseIdleConnections()
	var got []string
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			got = append(got, fmt.Sprintf("%d %v", status, http.Header(h)))
			return nil
		},
	}), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs, NextProtos: []string{"h2"}}
	res, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if want := []string{"103 map[Link:[</a.css>] Via:[1.1 renga]]"}; res.ProtoMajor != 2 || err != nil ||
		string(b) != "done" || !slices.Equal(got, want) {
		t.Errorf("%s %q, %v, after %q", res.Proto, b, err, got)
	}
}

func TestAnInterimAnswerOverALimitIsH25(t *testing.T) {
	f := newFixture(t, router.Options{})
	f.serve(backend(t, interim(t, "HTTP/1.1 103 Early Hints\nLink: "+strings.Repeat("x", 512<<10+1))))
	f.wantPage(t, http.StatusBadGateway, router.H25)
}

// TestTheServersWordOnTheConnectionComesLast has a server that wants to close
// the connection, as Renga does when it ends.
func TestTheServersWordOnTheConnectionComesLast(t *testing.T) {
	rt := router.New(router.Options{})
	rt.Route(route(backend(t, interim(t, hints))))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		rt.ServeHTTP(w, r)
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	first, err := textproto.NewReader(r).ReadLine()
	if err != nil || !strings.Contains(first, "103") {
		t.Fatalf("%q, %v", first, err)
	}
	if h, err := textproto.NewReader(r).ReadMIMEHeader(); err != nil || h.Get("Connection") != "" {
		t.Errorf("103 with %v, %v", h, err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil || !res.Close {
		t.Errorf("the last answer is %+v, %v", res, err)
	}
}
