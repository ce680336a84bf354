/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.client.repack;

import io.stowage.client.StowageDataPath;
import io.stowage.common.conf.Keys;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.needle.NeedleHeader;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.Extent;
import io.stowage.common.proto.GetBucketRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListVersionsReply;
import io.stowage.common.proto.ListVersionsRequest;
import io.stowage.common.proto.ListedVersion;
import io.stowage.common.proto.NeedleHolder;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ResurveyContainersRequest;
import io.stowage.common.scm.ContainerManager;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Writes the objects of a bucket, older versions too, again under the policy that the bucket has
 * now: what {@code stowage bucket convert} does. A version that already is of that policy costs one
 * look, so a conversion that was cut short is begun again, from where it was or from the first key.
 * Objects are read and written by others meanwhile; one that is overwritten or deleted is left
 * alone. Blocking; not thread-safe.
 *
 * <p>A pass goes through the keys in their order, and what is renamed meanwhile from a key before
 * it to one behind it is missed. So there are passes over all keys until one has found nothing to
 * convert: what it missed was renamed twice at least, once in each of two passes.
 */
public final class BucketConversion {
  /** Objects at a time, so that small ones share stripes. */
  private static final int AT_ONCE = 32;

  private static final int PAGE = 1_000;
  private static final long NULL_VERSION = -1; // as requests name it
  private static final int MOST_ATTEMPTS = 5;
  private static final int MOST_ASKED = 1_000;

  /** If even these all found something, files are renamed all the time; the caller is told so. */
  private static final int MOST_PASSES = 10;

  private final ObjectManager om;
  private final ContainerManager scm;
  private final NeedleMove moves;
  private final AtomicLong looked = new AtomicLong();
  private final AtomicLong converted = new AtomicLong();
  private final AtomicLong bytes = new AtomicLong();
  private final Set<Long> left = ConcurrentHashMap.newKeySet(); // containers that objects left

  /**
   * How far it is.
   *
   * @param objects versions that were looked at, in all passes
   * @param lastKey every key up to it is done
   * @param pass the first is 1
   * @param over this pass went through all keys and found nothing to convert
   */
  public record Progress(
      long objects, long converted, long bytes, String lastKey, int pass, boolean over) {}

  public BucketConversion(
      StowageConfig config, ObjectManager om, ContainerManager scm, StowageDataPath data)
      throws StoreException {
    this.om = om;
    this.scm = scm;
    this.moves = new NeedleMove(om, data, data, new RateLimit(config.get(Keys.REPACK_RATE)));
  }

  /**
   * Converts all objects, those behind a key first.
   *
   * @param startAfter empty: from the first
   * @param each told of progress, page by page
   */
  public Progress run(String bucketName, String startAfter, Consumer<Progress> each)
      throws StoreException {
    String from = startAfter;
    for (int pass = 1; ; pass++) {
      long before = converted.get();
      Progress done = pass(bucketName, from, pass, each);
      boolean over = from.isEmpty() && converted.get() == before;
      if (over || pass == MOST_PASSES) {
        return progress(done.lastKey(), pass, over);
      }
      from = "";
    }
  }

  private Progress pass(String bucketName, String startAfter, int pass, Consumer<Progress> each)
      throws StoreException {
    BucketInfo bucket =
        om.getBucket(GetBucketRequest.newBuilder().setName(bucketName).build()).getBucket();
    ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
    try {
      String done = startAfter;
      ListVersionsReply page;
      ListVersionsRequest.Builder next =
          ListVersionsRequest.newBuilder()
              .setBucket(bucketName)
              .setKeyMarker(startAfter)
              .setLimit(PAGE);
      do {
        page = om.listVersions(next.build());
        // Versions of one key are in one row, and would only get into each other's way.
        Map<String, List<ObjectVersion>> byKey = new LinkedHashMap<>();
        for (ListedVersion listed : page.getVersionsList()) {
          ObjectVersion version = listed.getVersion();
          if (!version.getDeleteMarker()) {
            byKey.computeIfAbsent(version.getKey(), key -> new ArrayList<>()).add(version);
          }
        }
        List<Future<?>> conversions = new ArrayList<>();
        for (List<ObjectVersion> versions : byKey.values()) {
          conversions.add(
              threads.submit(
                  () -> {
                    for (ObjectVersion version : versions) {
                      convert(bucket, version);
                    }
                    return null;
                  }));
        }
        for (Future<?> conversion : conversions) {
          await(conversion);
        }
        done = lastDone(page, done);
        next.setKeyMarker(page.getNextKey()).setVersionIdMarker(page.getNextVersionId());
        resurvey();
        each.accept(progress(done, pass, false));
      } while (page.getMore());
      return progress(done, pass, false);
    } finally {
      threads.shutdownNow();
    }
  }

  /** The last key of which no version can be on a later page. */
  private static String lastDone(ListVersionsReply page, String before) {
    List<ListedVersion> versions = page.getVersionsList();
    if (versions.isEmpty()) {
      return before;
    }
    String last = versions.get(versions.size() - 1).getVersion().getKey();
    if (!page.getMore()) {
      return last;
    }
    for (int i = versions.size() - 1; i >= 0; i--) {
      String key = versions.get(i).getVersion().getKey();
      if (!key.equals(last)) {
        return key;
      }
    }
    return before;
  }

  private Progress progress(String last, int pass, boolean over) {
    return new Progress(looked.get(), converted.get(), bytes.get(), last, pass, over);
  }

  private static void await(Future<?> conversion) throws StoreException {
    try {
      conversion.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StoreException cause) {
        throw cause;
      }
      throw new StoreException(
          ErrorCode.INTERNAL, "Cannot convert an object: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StoreException(ErrorCode.UNAVAILABLE, "Cannot convert: interrupted", e);
    }
  }

  private void convert(BucketInfo bucket, ObjectVersion version) throws StoreException {
    looked.incrementAndGet();
    String key = version.getKey();
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      GetObjectReply object;
      try {
        object =
            om.getObject(
                GetObjectRequest.newBuilder()
                    .setBucket(bucket.getName())
                    .setKey(key)
                    .setVersionId(version.getVersioned() ? version.getVersionId() : NULL_VERSION)
                    .setWantManifest(true)
                    .build());
      } catch (StoreException e) {
        if (e.code() == ErrorCode.NO_SUCH_KEY || e.code() == ErrorCode.NO_SUCH_VERSION) {
          return; // deleted since it was listed
        }
        throw e;
      }
      if (move(bucket, key, object)) {
        return;
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE, "Cannot convert " + key + ": it is overwritten again and again");
  }

  /** Whether nothing of the object is of another policy any more. */
  private boolean move(BucketInfo bucket, String key, GetObjectReply object) throws StoreException {
    Map<Long, ContainerInfo> containers = new HashMap<>();
    object.getContainersList().forEach(info -> containers.put(info.getId(), info));
    String rowKey = object.getRowKey().isEmpty() ? key : object.getRowKey();
    boolean any = false;
    for (Extent extent : object.getVersion().getManifest().getExtentsList()) {
      ContainerInfo container = containers.get(extent.getContainer());
      if (container == null) {
        return false; // moved meanwhile
      }
      if (container.getPolicy().equals(bucket.getPolicy())) {
        continue;
      }
      NeedleHeader header = moves.headerOf(extent, container);
      NeedleHolder holder =
          NeedleHolder.newBuilder()
              .setRow(row(bucket.getId(), rowKey))
              .setVersionId(object.getVersion().getVersionId())
              .setExtent(extent)
              .build();
      if (!moves.move(header, List.of(holder), container, bucket.getPolicy())) {
        return false;
      }
      any = true;
      bytes.addAndGet(extent.getLength());
      left.add(container.getId());
    }
    converted.addAndGet(any ? 1 : 0);
    return true;
  }

  private static ByteString row(long bucketId, String key) {
    return ByteString.copyFrom(ByteBuffer.allocate(Long.BYTES).putLong(0, bucketId))
        .concat(ByteString.copyFromUtf8(key));
  }

  /** What died here no collector counts: SCM is told to have these looked into again. */
  private void resurvey() throws StoreException {
    List<Long> ids = new ArrayList<>(left);
    for (int at = 0; at < ids.size(); at += MOST_ASKED) {
      scm.resurveyContainers(
          ResurveyContainersRequest.newBuilder()
              .addAllContainers(ids.subList(at, Math.min(ids.size(), at + MOST_ASKED)))
              .build());
    }
    left.removeAll(ids);
  }
}
