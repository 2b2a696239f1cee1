. "$(dirname "$0")/common.sh"
image=$(build "$folder")
mkdir "$scratch/site" "$scratch/mine"
tar -xzf "$course/labs/add_vs_copy/starter/site.tar.gz" -C "$scratch/site"
still=$(docker create --label "$id" "$image" none)
docker cp "$still:/srv/site" - | tar -x -C "$scratch/mine" || wrong "no /srv/site"
diff -r "$scratch/site" "$scratch/mine/site" >/dev/null || wrong "another tree"
(cd "$scratch/site" && find . -type f -printf '%P %m\n' | sort) > "$scratch/modes"
(cd "$scratch/mine/site" && find . -type f -printf '%P %m\n' | sort) | cmp -s - "$scratch/modes" || wrong modes
docker cp "$still:/srv/backup/backup.tar.gz" - | tar -xO | cmp -s - "$course/labs/add_vs_copy/starter/backup.tar.gz" || wrong backup
docker cp "$still:/etc/app/app.conf" - | tar -tv --numeric-owner | grep -q '^-rw-r----- 1000/1000' || wrong conf
export_layers "$image"
grep -l site.tar.gz "$scratch"/layers/*.list && wrong "the archive is in a layer"
sum=$(sha256sum < "$course/labs/add_vs_copy/starter/site.tar.gz")
for layer in "$scratch"/image/*/layer.tar; do # perhaps under another name
  mkdir -p "$scratch/unpacked" && tar -xf "$layer" -C "$scratch/unpacked" --exclude 'dev/*' 2>/dev/null
  find "$scratch/unpacked" -type f -exec sha256sum {} + | grep -q "${sum%% *}" && wrong "the archive is in a layer"
  rm -rf "$scratch/unpacked"
done
[ "$(grep -l etc/app/app.conf "$scratch"/layers/*.list | wc -l)" = 1 ] || wrong "app.conf is there twice"
grep -Eq 'RUN.*tar|ADD +http' "$folder/Dockerfile" && wrong "RUN tar"
answers local_tar_gz="unpacks it" local_zip="copies it as it is" url_of_a_page="downloads it" url_of_a_tar_gz="downloads it" \
  copy_cannot="unpack an archive"
