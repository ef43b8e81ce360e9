package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"renga"
	"renga/addons"
)

// addOnUsages are what add-ons used when they were measured last.
type addOnUsages struct{ measurer *addons.Measurer }

func addOnDesc(name, help string) *prometheus.Desc {
	return desc("addon_"+name, help, "app", "addon", "service")
}

// addOnShares are the series of each measure: what is used, and its limit.
var addOnShares = map[renga.Measure][2]*prometheus.Desc{
	renga.MeasureMemory: {
		addOnDesc("memory_bytes", "Memory that an add-on uses, without files' cache."),
		addOnDesc("memory_limit_bytes", "Memory that an add-on may use."),
	},
	renga.MeasureData: {
		addOnDesc("data_bytes", "Data of an add-on on disk."),
		addOnDesc("data_limit_bytes", "Data that the plan of an add-on has room for."),
	},
	renga.MeasureConnections: {
		addOnDesc("connections", "Connections to an add-on that clients have open."),
		addOnDesc("connections_limit", "Connections to an add-on that its plan lets clients open."),
	},
}

var addOnMeasured = addOnDesc("measured_timestamp_seconds", "When an add-on was measured last.")

// Describe tells nothing: not every add-on has all of them.
func (*addOnUsages) Describe(chan<- *prometheus.Desc) {}

// Collect tells what is known now. A limit that there is not is not told.
func (a *addOnUsages) Collect(out chan<- prometheus.Metric) {
	for _, x := range a.measurer.Usages() {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, x.AppName, x.AddOn.Name, x.AddOn.Service)
		}
		gauge(addOnMeasured, float64(x.Usage.At.Unix()))
		for of, d := range addOnShares {
			share, known := x.Usage.Shares[of]
			if !known {
				continue
			}
			gauge(d[0], float64(share.Used))
			if share.Limit > 0 {
				gauge(d[1], float64(share.Limit))
			}
		}
	}
}
