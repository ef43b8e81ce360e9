package addons

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// The URL of a backup has no token in it. It is good once, for minutes, for nobody
// whose right to the app's secrets has ended, and no longer once another one was asked
// for.

const (
	// backupKeyKind is the kind of the signed keys in such URLs.
	backupKeyKind = "backup"
	// stallLimit is how long a client may take no bytes.
	stallLimit = time.Minute
	// copySize is how much is read and sent at a time.
	copySize = 256 << 10
)

// backupKey is the content of a signed key.
type backupKey struct {
	wire.Pass
	App      renga.AppID    `json:"app"`
	Backup   renga.BackupID `json:"backup"`
	Download string         `json:"download"`
}

// backupURL is a URL as JSON.
type backupURL struct {
	ExpiresAt string `json:"expires_at"`
	URL       string `json:"url"`
}

func (s *Server) offerBackup(w http.ResponseWriter, r *http.Request) error {
	b, app, err := s.backupOf(r, renga.MayDeploy, renga.MayOperate)
	if err != nil {
		return err
	}
	return s.answerURL(w, r, b, app)
}

// answerURL makes a URL of a backup.
func (s *Server) answerURL(w http.ResponseWriter, r *http.Request, b renga.Backup, app renga.App) error {
	d, err := s.parts.BackupDownloads.Offer(r.Context(), b)
	if err != nil {
		return wire.OrNotFound(err, "backup")
	}
	key := backupKey{Pass: s.PassOf(r.Context()), App: b.App, Backup: b.ID, Download: d.ID}
	s.Audit(r, "URL of a backup made", app.Name, "add-on", b.AddOnName, "backup", backupName(b))
	return wire.Answer(w, http.StatusOK, backupURL{
		ExpiresAt: wire.Stamp(d.Until),
		URL:       wire.OriginOf(r) + "/backups/" + string(b.ID) + "/download?key=" + s.Sign(backupKeyKind, key),
	})
}

// downloadBackup sends the dump of a backup. What breaks off in the middle is cut off,
// so that nobody takes it for whole.
func (s *Server) downloadBackup(w http.ResponseWriter, r *http.Request) error {
	var k backupKey
	if !s.Signed(r, backupKeyKind, &k) || string(k.Backup) != mux.Vars(r)["backup"] || r.Method != http.MethodGet {
		return wire.NotFound("backup")
	}
	if err := s.CheckPass(r.Context(), k.Pass, k.App, wire.ReadingSecrets); err != nil {
		return err
	}
	b, err := s.parts.BackupDownloads.Use(r.Context(), k.App, k.Backup, k.Download)
	if err != nil {
		return err
	}
	ctx, cancel := s.WhileAllowed(r.Context(), k.Pass, k.App, wire.ReadingSecrets)
	defer cancel()
	dump, done, err := s.parts.BackupDownloads.Reader(ctx, b)
	if err != nil {
		return err
	}
	defer done()
	s.Log.Info("a backup is downloaded", "app", b.App, "addon", b.AddOnName, "backup", b.ID, "account", k.Account)
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(b.Bytes, 10))
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", b.AddOnName+"-"+backupName(b)+".dump"))
	h.Set("Cache-Control", "no-store")
	if err := send(ctx, w, dump); err != nil {
		s.Log.Warn("a backup was not downloaded whole", "backup", b.ID, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// send copies to a client, as long as it takes bytes and ctx lasts.
func send(ctx context.Context, w http.ResponseWriter, from io.Reader) error {
	rc := http.NewResponseController(w)
	for buf := make([]byte, copySize); ; {
		n, err := from.Read(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n > 0 {
			if err := rc.SetWriteDeadline(time.Now().Add(stallLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
