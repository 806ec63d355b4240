import io.tus.java.client.ProtocolException;
import io.tus.java.client.TusClient;
import io.tus.java.client.TusExecutor;
import io.tus.java.client.TusURLMemoryStore;
import io.tus.java.client.TusUpload;
import io.tus.java.client.TusUploader;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.util.Arrays;
import java.util.Map;

/** Uploads a file with tus-java-client as it comes: Upload FILE ENDPOINT FACT TOKEN PROOF. */
public final class Upload {
    public static void main(String[] args) throws IOException, ProtocolException {
        TusClient client = new TusClient();
        client.setUploadCreationURL(new URL(args[1]));
        client.enableResuming(new TusURLMemoryStore());
        client.setHeaders(Map.of("Authorization", "DPoP " + args[3], "DPoP", args[4]));
        TusUpload upload = new TusUpload(new File(args[0]));
        upload.setMetadata(Map.of("fact", args[2], "filename", "photo.jpg"));
        TusExecutor executor = new TusExecutor() {
            @Override
            protected void makeAttempt() throws ProtocolException, IOException {
                TusUploader uploader = client.resumeOrCreateUpload(upload);
                uploader.setChunkSize(16 * 1024);
                while (uploader.uploadChunk() > -1) { }
                uploader.finish();
                System.out.println(uploader.getUploadURL());
            }
        };
        int[] delays = new int[60];
        Arrays.fill(delays, 250);
        executor.setDelays(delays);
        if (!executor.makeAttempts()) {
            System.exit(1);
        }
    }
}
