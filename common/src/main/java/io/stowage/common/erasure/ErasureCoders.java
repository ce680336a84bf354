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
package io.stowage.common.erasure;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The coder of each policy: the fastest that this machine has, found once per process. Thread-safe.
 */
public final class ErasureCoders {
  private static final Logger LOG = LoggerFactory.getLogger(ErasureCoders.class);

  private static final Map<ErasurePolicy, ErasureCoder> CODERS = new ConcurrentHashMap<>();

  /** Holder, so that the library is looked for at first use, once. */
  private static final class Fastest {
    static final Function<ErasurePolicy, ErasureCoder> FACTORY = find();
  }

  private ErasureCoders() {}

  /** The coder of a policy; the same one for all callers. */
  public static ErasureCoder of(ErasurePolicy policy) {
    return CODERS.computeIfAbsent(policy, Fastest.FACTORY);
  }

  /** The coder in plain Java, which every machine has; for comparisons. */
  public static ErasureCoder plainJava(ErasurePolicy policy) {
    return new JavaCoder(policy);
  }

  private static Function<ErasurePolicy, ErasureCoder> find() {
    try {
      ErasureCoder coder = new IsaLCoder(ErasurePolicy.RS_3_2);
      LOG.info("Erasure code: {}", coder.description());
      return IsaLCoder::new;
    } catch (LinkageError e) {
      // No JNA on the class path (the FileSystem jar has none) or no libisal on the machine.
      LOG.info("Erasure code: java, ISA-L is not to be had here ({})", firstLine(e));
      return JavaCoder::new;
    }
  }

  /** JNA's message goes on with the whole class path. */
  private static String firstLine(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("").strip();
  }
}
