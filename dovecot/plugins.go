package dovecot

import (
	"path/filepath"
	"slices"
	"strings"

	"pidgeon/finding"
)

func (d *Dovecot) missingPlugin(s statement, statements []statement) (finding.Code, string, string) {
	names := []string{s.key}
	if s.key == "mail_plugins" {
		names = strings.Fields(s.value)
	}
	dir := filepath.Join(d.root, lastValue(statements, "mail_plugin_dir", "/usr/lib/dovecot/modules"))
	installed := pluginsIn(dir)
	for _, name := range names {
		if installed == nil || strings.Contains(name, "$") || slices.Contains(installed, name) {
			continue
		}
		hint := "leave it out, or install it"
		if near := nearest(name, installed); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		} else if now, ok := pluginsNow[name]; ok && d.Dialect == "2.4" {
			hint = "in Dovecot 2.4 " + now
		}
		return finding.MissingPlugin, "the plugin " + name + " is not installed", hint
	}
	return "", "", ""
}

// pluginsNow are plugins of 2.3 that 2.4 does not have.
var pluginsNow = map[string]string{
	"zlib": "it is mail_compress", "imap_zlib": "COMPRESS is always there: leave it out",
	"listescape": "set mailbox_list_storage_escape_char", "mailbox_alias": "it is gone: use mailbox_special_use",
	"old_stats": "it is gone", "imap_old_stats": "it is gone", "replication": "there is no replication any more",
	"fts_lucene": "use fts_flatcurve or fts_solr", "fts_squat": "use fts_flatcurve or fts_solr",
}

// pluginsIn are the plugins of a directory, lib10_quota_plugin.so; nil where it
// cannot be read.
func pluginsIn(dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "lib*_plugin.so"))
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "lib"), "_plugin.so")
		names = append(names, strings.TrimLeft(name, "0123456789_"))
	}
	return names
}
