package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"

	"renga"
	"renga/addons"
	"renga/registry"
	"renga/space"
)

func (b base) newSpace(reg *registry.Registry, collector *registry.Collector, measurer *addons.Measurer) *space.Space {
	s := b.settings
	return space.New(space.Options{
		Marks: b.disk,
		Folders: space.Folders{
			Logs: s.path("logs"), Outputs: s.path("outputs"), Redis: s.path("redis"),
			Audit: []string{s.auditPath(), s.auditPath() + ".*"},
		},
		AddOnData: func() map[renga.AppID]int64 { return addOnData(measurer) },
		Quota:     s.AppQuota,
		Tell:      b.db.PostDiskEvent,
		Collect: func(ctx context.Context) error {
			_, err := collector.Collect(ctx, false)
			return err
		},
		Log: b.log,
	}, reg, b.db)
}

// addOnData is the data of add-ons by the app that they were made for, as far as it was
// measured.
func addOnData(measurer *addons.Measurer) map[renga.AppID]int64 {
	data := map[renga.AppID]int64{}
	for _, x := range measurer.Usages() {
		data[x.AddOn.App] += x.Usage.Shares[renga.MeasureData].Used
	}
	return data
}

// diskUses are what takes up the data disk.
type diskUses struct{ space *space.Space }

var (
	diskTotal = desc("disk_total_bytes", "Size of the disk of the data directory.")
	diskLevel = desc("disk_level", "How full the data disk is: 0 is well, 1 low, 2 full, so that nothing is pushed.")
	diskUsed  = desc("disk_used_bytes", "What takes up the disk. What several apps have in the registry counts once.", "what")
	appDisk   = desc("app_disk_bytes", "What an app takes up. What it shares with others is content_shared.", "app", "what")
	appQuota  = desc("app_disk_quota_bytes", "What an app may have in the registry.", "app")
)

// mostAppSeries bounds how many apps have series of their own.
const mostAppSeries = 1000

// Describe tells nothing: the set of labels is open.
func (diskUses) Describe(chan<- *prometheus.Desc) {}

// Collect tells what is known now; without the records only how full the disk is.
func (d diskUses) Collect(out chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(diskLevel, int64(map[renga.DiskLevel]int{renga.DiskLow: 1, renga.DiskFull: 2}[d.space.Level()]))
	use, err := d.space.Use(context.Background())
	if err != nil {
		return
	}
	gauge(diskTotal, use.Total)
	for what, n := range map[string]int64{
		"content": use.Content, "logs": use.Logs, "outputs": use.Outputs, "redis": use.Redis, "audit": use.Audit,
		"backups": use.Backups,
	} {
		gauge(diskUsed, n, what)
	}
	for _, a := range use.Apps[:min(len(use.Apps), mostAppSeries)] {
		for what, n := range map[string]int64{
			"content_alone": a.Content.Alone, "content_shared": a.Content.Shared, "uploads": a.Content.Uploads, "logs": a.Logs,
			"outputs": a.Outputs, "addons": a.AddOns, "backups": a.Backups,
		} {
			gauge(appDisk, n, a.Name, what)
		}
		if a.Quota > 0 {
			gauge(appQuota, a.Quota, a.Name)
		}
	}
}

// diskAnswer is what the API answers; see docs/space.md.
type diskAnswer struct {
	Level string
	Total int64 `json:"total_bytes"`
	Free  int64 `json:"free_bytes"`
	Used  struct {
		Content, Logs, Outputs, Redis, Audit, Backups int64
	} `json:"used_bytes"`
	Apps []struct {
		App     struct{ Name string }
		AddOns  int64 `json:"addons_bytes"`
		Backups int64 `json:"backups_bytes"`
		Alone   int64 `json:"content_alone_bytes"`
		Shared  int64 `json:"content_shared_bytes"`
		Uploads int64 `json:"uploads_bytes"`
		Logs    int64 `json:"logs_bytes"`
		Outputs int64 `json:"outputs_bytes"`
		Quota   int64 `json:"quota_bytes"`
		Sum     int64 `json:"total_bytes"`
	}
}

// diskUsage asks the running platform what takes up its disk, and prints it.
func diskUsage(ctx context.Context, p *program, args []string) error {
	s, rest, err := p.parseSettings("du", args)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return errors.New("usage: renga du [settings]")
	}
	var got diskAnswer
	if err := askOperatorAPI(ctx, s, http.MethodGet, "/platform/disk", nil, &got); err != nil {
		return err
	}
	return p.printDisk(got)
}

func (p *program) printDisk(got diskAnswer) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "APP\tALONE\tSHARED\tUPLOADS\tLOGS\tOUTPUTS\tADD-ONS\tBACKUPS\tTOTAL\tQUOTA\t")
	for _, a := range got.Apps {
		quota := "none"
		if a.Quota > 0 {
			quota = megabytes(a.Quota)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", a.App.Name, megabytes(a.Alone), megabytes(a.Shared),
			megabytes(a.Uploads), megabytes(a.Logs), megabytes(a.Outputs), megabytes(a.AddOns), megabytes(a.Backups),
			megabytes(a.Sum), quota)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "\nIn MB. All images %s, logs %s, outputs %s, Redis %s, audit log %s, backups %s.\n"+
		"The disk has %s and %s are free: %s.\n",
		megabytes(got.Used.Content), megabytes(got.Used.Logs), megabytes(got.Used.Outputs), megabytes(got.Used.Redis),
		megabytes(got.Used.Audit), megabytes(got.Used.Backups), megabytes(got.Total), megabytes(got.Free),
		cmp.Or(got.Level, "unknown"))
	return err
}

// megabytes writes bytes as settings have them: an MB is 2^20.
func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }
