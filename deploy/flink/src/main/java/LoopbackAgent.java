import static net.bytebuddy.matcher.ElementMatchers.nameEndsWith;
import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import java.lang.instrument.Instrumentation;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.implementation.MethodCall;

/**
 * Keeps Beam's servers in Java to this machine.
 *
 * <p>Beam makes each of them with gRPC's {@code NettyServerBuilder.forPort(port)}, which listens on every network, and has no option
 * for another address (ServerFactory.InetSocketAddressServerFactory.createServer). In a Java that has this agent, {@code
 * forPort(port)} is {@code forAddress(127.0.0.1:port)}, whichever class loader the class is of: Flink has one for each job.
 */
public class LoopbackAgent {
  public static void premain(String arguments, Instrumentation instrumentation) throws NoSuchMethodException {
    var address = MethodCall.construct(InetSocketAddress.class.getConstructor(String.class, int.class)).with("127.0.0.1").withArgument(0);
    new AgentBuilder.Default()
        // Without it, what cannot be changed would be left as it is in silence.
        .with(AgentBuilder.Listener.StreamWriting.toSystemError().withErrorsOnly())
        .type(nameEndsWith(".io.grpc.netty.NettyServerBuilder"))
        .transform((builder, type, loader, module, domain) -> {
          var forAddress = type.getDeclaredMethods().filter(named("forAddress").and(takesArguments(SocketAddress.class))).getOnly();
          return builder.method(named("forPort").and(takesArguments(int.class)))
              .intercept(MethodCall.invoke(forAddress).withMethodCall(address));
        })
        .installOn(instrumentation);
  }
}
