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
package io.stowage.fs;

import io.stowage.common.om.ObjectManager;
import java.lang.ref.Reference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.statistics.IOStatistics;
import org.apache.hadoop.fs.statistics.IOStatisticsSource;
import org.apache.hadoop.fs.statistics.StoreStatisticNames;
import org.apache.hadoop.fs.statistics.StreamStatisticNames;
import org.apache.hadoop.fs.statistics.impl.IOStatisticsBinding;
import org.apache.hadoop.fs.statistics.impl.IOStatisticsStore;

/**
 * What one FileSystem was asked for, what it asked of object managers for that, and what its
 * streams told when they were closed. Counters only: a duration would cost two looks at the clock
 * for each of them. Thread-safe.
 */
final class FsStatistics implements IOStatisticsSource {
  /** Calls of object managers, all of them; one more counter for each method, behind a dot. */
  static final String CALLS = "object_manager_calls";

  /**
   * Calls of datanodes, as of the moment at which the statistics are asked for; of all FileSystems
   * that share a cluster, since what belongs to which the data path does not know.
   */
  static final String DATANODE_CALLS = "datanode_calls";

  /** Of Hadoop's names, those that an older Hadoop than the one compiled against lacks. */
  static final String SET_TIMES = "op_set_times";

  static final String SET_OWNER = "op_set_owner";
  static final String CHECKSUM = "op_get_file_checksum";
  static final String BULK_DELETE = "op_bulk-delete";
  static final String VECTORED_OPERATIONS = "stream_read_vectored_operations";
  static final String VECTORED_RANGES = "stream_read_vectored_incoming_ranges";

  /** Reads that the ranges were made of, after those near one another were joined. */
  static final String VECTORED_READS = "stream_read_vectored_combined_ranges";

  private static final List<String> OPERATIONS =
      List.of(
          StoreStatisticNames.OP_OPEN,
          StoreStatisticNames.OP_CREATE,
          StoreStatisticNames.OP_GET_FILE_STATUS,
          StoreStatisticNames.OP_LIST_STATUS,
          StoreStatisticNames.OP_MKDIRS,
          StoreStatisticNames.OP_DELETE,
          StoreStatisticNames.OP_RENAME,
          StoreStatisticNames.OP_SET_PERMISSION,
          StoreStatisticNames.OP_SET_ACL,
          StoreStatisticNames.OP_XATTR_GET_MAP,
          SET_TIMES,
          SET_OWNER,
          CHECKSUM,
          BULK_DELETE);

  private static final String[] OF_INPUT = {
    StreamStatisticNames.STREAM_READ_BYTES,
    StreamStatisticNames.STREAM_READ_OPERATIONS,
    StreamStatisticNames.STREAM_READ_SEEK_OPERATIONS,
    VECTORED_OPERATIONS,
    VECTORED_RANGES,
    VECTORED_READS
  };

  private static final String[] OF_OUTPUT = {
    StreamStatisticNames.STREAM_WRITE_BYTES, StreamStatisticNames.STREAM_WRITE_EXCEPTIONS
  };

  private final IOStatisticsStore store;

  FsStatistics() {
    List<String> names = new ArrayList<>(OPERATIONS);
    names.add(CALLS);
    names.add(DATANODE_CALLS);
    for (var method : ObjectManager.class.getMethods()) {
      names.add(CALLS + "." + method.getName());
    }
    names.addAll(List.of(OF_INPUT));
    names.addAll(List.of(OF_OUTPUT));
    store =
        IOStatisticsBinding.iostatisticsStore()
            .withCounters(names.stream().distinct().toArray(String[]::new))
            .build();
  }

  void count(String operation) {
    store.incrementCounter(operation, 1);
  }

  void datanodeCalls(long made) {
    store.setCounter(DATANODE_CALLS, made);
  }

  /** Counters of an input stream, all at 0. */
  static IOStatisticsStore ofInput() {
    return IOStatisticsBinding.iostatisticsStore().withCounters(OF_INPUT).build();
  }

  /** Counters of an output stream, all at 0. */
  static IOStatisticsStore ofOutput() {
    return IOStatisticsBinding.iostatisticsStore().withCounters(OF_OUTPUT).build();
  }

  /** Adds what a stream counted; called when it is closed. */
  void add(IOStatistics stream) {
    stream.counters().forEach(store::incrementCounter);
  }

  /**
   * The same object manager, each call of it counted.
   *
   * @param held stays reachable as long as this object manager is, and while it is called
   */
  ObjectManager counting(ObjectManager objectManager, Object held) {
    return (ObjectManager)
        Proxy.newProxyInstance(
            FsStatistics.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, method, arguments) -> {
              store.incrementCounter(CALLS, 1);
              store.incrementCounter(CALLS + "." + method.getName(), 1);
              try {
                return method.invoke(objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              } finally {
                Reference.reachabilityFence(held);
              }
            });
  }

  @Override
  public IOStatistics getIOStatistics() {
    return store;
  }
}
