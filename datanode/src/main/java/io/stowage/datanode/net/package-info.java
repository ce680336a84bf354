/** The data plane's server: {@link io.stowage.common.data.ShardService} over sockets. */
package io.stowage.datanode.net;
