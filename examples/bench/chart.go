package main

import (
	"math"
	"os"
	"strings"
	"text/template"
)

// The chart shows speed as a multiple of libzmq's, on a logarithmic scale: a bar to the right of the line is faster. A
// round trip counts by its mean, upside down.
const (
	chartLeft  = 250.0 // where bars begin
	chartWidth = 620.0 // of the scale
	chartLow   = 1.0 / 64
	chartHigh  = 16.0
	barHeight  = 12.0
)

type chartBar struct {
	Y, TextY, Width, TextX float64
	Colour, Label          string
}

type chartKey struct {
	X, TextX      float64
	Colour, Label string
}

type chartRow struct {
	Title string
	Y     float64
	Bars  []chartBar
}

type chart struct {
	Machine, Date   string
	Width, Height   float64
	Left, One, Foot float64
	Rows            []chartRow
	Key             []chartKey
}

var chartColours = map[string]string{
	"yodel": "#d9480f", "reliable": "#f59f00", "curve": "#9c36b5", "tls": "#e64980", "libzmq": "#495057",
	"libzmq-curve": "#5f3dc4", "go-zeromq": "#1c7ed6", "nats": "#2b8a3e", "raw": "#adb5bd", "raw-tls": "#868e96",
}

var chartTemplate = template.Must(template.New("chart").Parse(
	`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" font-family="sans-serif"
 font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="15">Speed as a multiple of libzmq's (logarithmic; longer is faster)</text>
<text x="10" y="36" fill="#666">{{html .Machine}}; {{html .Date}}</text>
{{range .Key}}<rect x="{{.X}}" y="44" width="10" height="10" fill="{{.Colour}}"/>
<text x="{{.TextX}}" y="53">{{html .Label}}</text>
{{end}}{{range .Rows}}<text x="10" y="{{.Y}}">{{html .Title}}</text>
{{range .Bars}}<rect x="{{$.Left}}" y="{{.Y}}" width="{{.Width}}" height="10" fill="{{.Colour}}"/>
<text x="{{.TextX}}" y="{{.TextY}}">{{html .Label}}</text>
{{end}}{{end}}<line x1="{{.One}}" y1="62" x2="{{.One}}" y2="{{.Foot}}" stroke="#000" stroke-dasharray="3 3"/>
</svg>
`))

// chart lays the results out. Work without a figure of libzmq's has no ratio and is left out.
func (r *results) chart() chart {
	c := chart{
		Machine: r.Machine, Date: r.Date, Width: chartLeft + chartWidth + 80, Left: chartLeft, One: chartLeft + barLength(1),
	}
	for i, p := range r.Peers {
		x := 10 + 100*float64(i)
		c.Key = append(c.Key, chartKey{X: x, TextX: x + 14, Colour: chartColours[p.Name], Label: p.Name})
	}
	y := 72.0
	for _, w := range r.Works {
		metric := rate
		if w.Kind == roundTrip {
			metric = mean
		}
		base, ok := r.median(w.ID, "libzmq", metric)
		if !ok || base <= 0 {
			continue
		}
		row := chartRow{Title: w.Title, Y: y + 9}
		for _, p := range r.Peers {
			v, ok := r.median(w.ID, p.Name, metric)
			if !ok || v <= 0 {
				continue
			}
			ratio := v / base
			if metric == mean {
				ratio = base / v
			}
			length := barLength(ratio)
			row.Bars = append(row.Bars, chartBar{
				Y: y, TextY: y + 9, Width: length, TextX: chartLeft + length + 4, Colour: chartColours[p.Name],
				Label: digits(ratio),
			})
			y += barHeight
		}
		y += 8
		c.Rows = append(c.Rows, row)
	}
	c.Foot, c.Height = y, y+12
	return c
}

// barLength places a ratio on the scale; what is off it ends at its edge.
func barLength(ratio float64) float64 {
	part := math.Log(ratio/chartLow) / math.Log(chartHigh/chartLow)
	return math.Round(chartWidth * min(1, max(0.002, part)))
}

func (r *results) writeSVG(file string) error {
	var b strings.Builder
	if err := chartTemplate.Execute(&b, r.chart()); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
