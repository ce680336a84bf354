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
package io.stowage.common.conf;

/**
 * Keystores of Java's own format in files. The JDK settles once in a process, when it takes the
 * first secret out of any of them, which classes may be read from them; Hadoop's key provider wants
 * one of its own and asks for it when it is made, which is too late if a credential provider was
 * read before. Stateless.
 */
public final class KeyStores {
  private static final String FILTER = "jceks.key.serialFilter";

  /** Hadoop's default of hadoop.security.crypto.jceks.key.serialfilter. */
  private static final String CLASSES_OF_HADOOP =
      "java.lang.Enum;java.security.KeyRep;java.security.KeyRep$Type;"
          + "javax.crypto.spec.SecretKeySpec;"
          + "org.apache.hadoop.crypto.key.JavaKeyStoreProvider$KeyMetadata;!*";

  private KeyStores() {}

  /** To be called before the process reads its first keystore; leaves alone what was set. */
  public static void letHadoopReadItsKeys() {
    if (System.getProperty(FILTER) == null) {
      System.setProperty(FILTER, CLASSES_OF_HADOOP);
    }
  }
}
