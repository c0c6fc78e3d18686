package observe

import (
	"io"
	"strconv"
	"strings"
)

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// WriteMetrics writes metrics in Prometheus' text format, version 0.0.4.
func WriteMetrics(w io.Writer, families []Family) error {
	var b strings.Builder
	for _, f := range families {
		b.WriteString("# HELP " + f.Name + " " + helpEscapes.Replace(f.Help) + "\n")
		b.WriteString("# TYPE " + f.Name + " " + string(f.Kind) + "\n")
		for _, s := range f.Samples {
			b.WriteString(f.Name)
			var labels []string
			for _, l := range s.Labels {
				labels = append(labels, l.Name+`="`+labelEscapes.Replace(strings.ToValidUTF8(l.Value, "\uFFFD"))+`"`)
			}
			if len(labels) > 0 {
				b.WriteString("{" + strings.Join(labels, ",") + "}")
			}
			b.WriteString(" " + strconv.FormatFloat(s.Value, 'f', -1, 64) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
