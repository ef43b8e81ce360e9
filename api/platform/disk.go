package platform

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Disk knows what takes up the data disk.
type Disk interface {
	Use(ctx context.Context) (renga.DiskUse, error)
	AppUse(ctx context.Context, a renga.App) (renga.AppDiskUse, error)
}

// Apps changes apps.
type Apps interface {
	UpdateApp(ctx context.Context, id renga.AppID, edit func(*renga.App) error) (renga.App, error)
}

func (s *Server) diskRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/platform/disk", wire.WholeToken, s.disk),
		wire.Patch("/platform/apps/{name}", wire.WholeToken, s.setQuota),
		wire.Get("/apps/{app}/disk", wire.Looking, s.appDisk),
	}
}

// disk is what takes up the data disk, as JSON.
type disk struct {
	Apps  []appDisk `json:"apps"`
	Free  int64     `json:"free_bytes"`
	Full  int64     `json:"full_below_bytes"`
	Level string    `json:"level"`
	Low   int64     `json:"low_below_bytes"`
	At    string    `json:"measured_at"`
	Since string    `json:"since"`
	Total int64     `json:"total_bytes"`
	Used  diskUsed  `json:"used_bytes"`
}

type diskUsed struct {
	Audit   int64 `json:"audit"`
	Backups int64 `json:"backups"`
	Content int64 `json:"content"`
	Logs    int64 `json:"logs"`
	Outputs int64 `json:"outputs"`
	Redis   int64 `json:"redis"`
}

// appDisk is what an app takes up. Its quota is for content and uploads; null for none.
type appDisk struct {
	AddOns  int64    `json:"addons_bytes"`
	App     wire.Ref `json:"app"`
	Backups int64    `json:"backups_bytes"`
	Alone   int64    `json:"content_alone_bytes"`
	Shared  int64    `json:"content_shared_bytes"`
	Logs    int64    `json:"logs_bytes"`
	Outputs int64    `json:"outputs_bytes"`
	Quota   *int64   `json:"quota_bytes"`
	Sum     int64    `json:"total_bytes"`
	Uploads int64    `json:"uploads_bytes"`
}

func newAppDisk(u renga.AppDiskUse) appDisk {
	shown := appDisk{
		AddOns: u.AddOns, App: wire.AppRef(renga.App{ID: u.App, Name: u.Name}), Backups: u.Backups, Alone: u.Content.Alone,
		Shared: u.Content.Shared, Logs: u.Logs, Outputs: u.Outputs, Sum: u.Sum(), Uploads: u.Content.Uploads,
	}
	if u.Quota > 0 {
		shown.Quota = &u.Quota
	}
	return shown
}

// disk tells what takes up the data disk, the largest app first.
func (s *Server) disk(w http.ResponseWriter, r *http.Request) error {
	if err := s.onlyOperator(r); err != nil {
		return err
	}
	use, err := s.parts.Disk.Use(r.Context())
	if err != nil {
		return err
	}
	shown := disk{
		Apps: []appDisk{}, Free: use.Free, Full: use.Full, Level: string(use.Level), Low: use.Low, At: wire.Stamp(use.At),
		Since: wire.Stamp(use.Since), Total: use.Total,
		Used: diskUsed{
			Audit: use.Audit, Backups: use.Backups, Content: use.Content, Logs: use.Logs, Outputs: use.Outputs, Redis: use.Redis,
		},
	}
	for _, a := range use.Apps {
		shown.Apps = append(shown.Apps, newAppDisk(a))
	}
	slices.SortStableFunc(shown.Apps, func(a, b appDisk) int {
		return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(a.App.Name, b.App.Name))
	})
	return wire.Answer(w, http.StatusOK, shown)
}

func (s *Server) appDisk(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	use, err := s.parts.Disk.AppUse(r.Context(), a)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newAppDisk(use))
}

// setQuota sets what an app may have in the registry; null for what every app may.
func (s *Server) setQuota(w http.ResponseWriter, r *http.Request) error {
	if err := s.onlyOperator(r); err != nil {
		return err
	}
	var asked struct {
		Quota *int64 `json:"quota_bytes"`
	}
	if err := wire.Decode(r, &asked); err != nil {
		return err
	}
	if asked.Quota != nil && *asked.Quota < minQuota {
		return renga.Errorf(renga.Invalid, "A quota must be at least %d bytes, or null for the platform's.", minQuota)
	}
	a, err := s.FindApp(r.Context(), mux.Vars(r)["name"])
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	a, err = s.parts.Apps.UpdateApp(r.Context(), a.ID, func(a *renga.App) error {
		a.DiskQuota = 0
		if asked.Quota != nil {
			a.DiskQuota = *asked.Quota
		}
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "quota set", a.Name, "bytes", a.DiskQuota)
	use, err := s.parts.Disk.AppUse(r.Context(), a)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newAppDisk(use))
}

// minQuota is the smallest quota: less would refuse any image.
const minQuota = 1_000_000
