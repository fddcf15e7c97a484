package watch

import "golang.org/x/sys/unix"

// vboxMagic is missing in x/sys: the shared folders of VirtualBox.
const vboxMagic = 0x786f4256

// deafFileSystem names the file system of dir if changes made on another
// machine, or outside the virtual one, raise no events in it. overlayfs does
// report what happens inside the container and so is not one of them.
func deafFileSystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	return deafName(uint32(st.Type))
}

func deafName(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "smb"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse or virtiofs" // they share the number
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.OCFS2_SUPER_MAGIC:
		return "ocfs2"
	case vboxMagic:
		return "vboxsf"
	}
	return ""
}
