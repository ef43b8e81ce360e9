package router_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"renga/router"
)

// TestAnUploadThatOutlivesItsAnswerHarmsNobody has dynos answer at once and go on
// reading, so that the transport may still ask for the client's bytes when the
// handler has ended.
func TestAnUploadThatOutlivesItsAnswerHarmsNobody(t *testing.T) {
	rt := router.New(router.Options{IdleTimeout: 32 * time.Millisecond})
	s := httptest.NewUnstartedServer(rt)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	r := route(backend(t, hangsUp(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.CopyN(io.Discard, bufio.NewReader(c), 1<<16)
	})))
	r.Hosts = append(r.Hosts, "127.0.0.1")
	rt.Route(r)
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 60 {
				body, feed := io.Pipe()
				go func() {
					for {
						time.Sleep(100 * time.Microsecond)
						if _, err := feed.Write([]byte("x")); err != nil {
							return
						}
					}
				}()
				req, _ := http.NewRequest(http.MethodPost, s.URL, body)
				if res, err := transport.RoundTrip(req); err == nil {
					_ = res.Body.Close()
				}
				_ = body.Close()
			}
		})
	}
	wg.Wait()
}
