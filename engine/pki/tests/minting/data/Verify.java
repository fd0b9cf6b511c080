// Verifies certificate chains as Java's TLS client does: the default trust manager, then the host
// name. Arguments: root, chain, name, again and again. Says "accepted" or "refused" for each.

import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import sun.security.util.HostnameChecker;

public class Verify {
    public static void main(String[] arguments) throws Exception {
        for (int i = 0; i + 3 <= arguments.length; i += 3) {
            X509TrustManager manager = trusting(read(arguments[i])[0]);
            X509Certificate[] chain = read(arguments[i + 1]);
            String name = arguments[i + 2];
            try {
                manager.checkServerTrusted(chain, "ECDHE_ECDSA");
                HostnameChecker.getInstance(HostnameChecker.TYPE_TLS).match(name, chain[0]);
                System.out.println("accepted " + name);
            } catch (CertificateException exception) {
                System.out.println("refused " + name + " " + exception.getMessage());
            }
        }
    }

    static X509Certificate[] read(String path) throws Exception {
        try (InputStream file = new FileInputStream(path)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(file)
                    .toArray(new X509Certificate[0]);
        }
    }

    static X509TrustManager trusting(Certificate root) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        store.setCertificateEntry("root", root);
        TrustManagerFactory factory =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return (X509TrustManager) factory.getTrustManagers()[0];
    }
}
